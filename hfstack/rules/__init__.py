"""What is concluded, and what follows from it. Pure: no clock, no files, no network."""
