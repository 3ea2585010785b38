"""A page on which a person asks a served model: with a file, a drawing, or typed values."""
