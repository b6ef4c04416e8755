"""How messages are protected: schemes as data, what a DBC or a mapping says of a message, and its wire columns."""
