"""One file per stage: record in, requests out, replies in, records out."""
