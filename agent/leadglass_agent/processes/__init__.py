"""The split of privileges: supervisor and reader, front, file workers, and the frames between them."""
