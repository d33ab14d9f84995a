"""Parameters that models accept, by vendor, as data for the dialects; the patterns are matched with the names of models."""
