"""How many people came, when, and how it went: counts in a file of SQLite, never a picture."""
