"""What hfstack keeps in the work directory: requests/ and cache/."""
