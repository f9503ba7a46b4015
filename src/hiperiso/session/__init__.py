"""Records one boot, from its first file to SESSION_COMPLETE; owns every process and socket."""
