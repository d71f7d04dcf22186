"""The kinds of server: one file for one server. To the stories in `ring` and `staples` they are all the same."""
