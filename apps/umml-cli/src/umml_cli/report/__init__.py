"""How it is shown: tables, figures, pages."""
