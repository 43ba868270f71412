"""The generator of the sample reports: wording, courses of disease, layouts of notes."""
