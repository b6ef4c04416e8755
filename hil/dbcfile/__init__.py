"""DBC files of other people: what is wrong with them, a reading that is bounded in time and memory, and their picture."""
