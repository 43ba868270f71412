"""The sections of a report, one module each: from what is known of a run to blocks."""
