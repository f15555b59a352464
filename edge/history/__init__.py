"""How many people came, when, and with which outcome: counts in an SQLite file, never a picture."""
