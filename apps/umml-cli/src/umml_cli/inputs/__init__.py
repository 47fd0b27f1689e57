"""What a user gives: data, codes from elsewhere, options of methods."""
