"""The console: pages on which operators see people, systems and reasons. Server-rendered; scripts only save a reload."""
