/*
 * What the daemon says that an administrator may want to find again or have explained: each has a
 * MESSAGE_ID in the journal, and an entry in systemd/elluminated.catalog that says what happened,
 * why, and what to do. This is the one list of them; a test holds the catalog against it.
 */
#pragma once

#define LOG_MESSAGES(MESSAGE)                                           \
	MESSAGE(LOG_SERVING, "6ad6feafe2b54950a1e2dfad1a74966a")        \
	MESSAGE(LOG_STOPPING, "3b4a81a457db47a4a5e12f0eb63dbcbe")       \
	MESSAGE(LOG_GRACE_OVER, "770a1d2318134b99a769b02acb7952dd")     \
	MESSAGE(LOG_START_FAILED, "14a9f933de2349ee8c7194425d74cec6")   \
	MESSAGE(LOG_TASKS_RECOVERED, "935bbeafd6c54f9895c33bafa5acd7ca") \
	MESSAGE(LOG_TASK_STARTED, "494302c74fe7464e8237f55473d7df8b")   \
	MESSAGE(LOG_TASK_ENDED, "ec0ab6f33aaa4ed6b7db00df9019bd12")     \
	MESSAGE(LOG_TASK_LOG, "3b374d0e1e594e2f9fc61da6f59c1355")       \
	MESSAGE(LOG_STORAGE_FULL, "72a7d4233b9f4797b609d12bd6a2351a")   \
	MESSAGE(LOG_STORAGE_ROOM, "ec11e7ea2abd4f94981b6baf5e8f300a")   \
	MESSAGE(LOG_STORAGE_DAMAGED, "4f7bb4dbf30545afacaf319f20597e26") \
	MESSAGE(LOG_OUT_OF_FILES, "e55e981a014a4fc79e9c965a8dc31931")   \
	MESSAGE(LOG_USER_LIMIT, "fd7142bcad5249708a33f0f18a8297ae")       \
	MESSAGE(LOG_CLIENT_DROPPED, "1571c2330ed043188dbdda2a7892aa23") \
	MESSAGE(LOG_RELOADED, "c56e836d99bd4756a8b16ed5d0f95583")       \
	MESSAGE(LOG_RELOAD_REFUSED, "2476a4ec8e69474b8e6fdcd9147d1d01") \
	MESSAGE(LOG_LINES_DROPPED, "68248d834bf9424297d6a4bb7a3d40b5")

enum log_message {
	LOG_PLAIN, // explains itself
#define MESSAGE(name, id) name,
	LOG_MESSAGES(MESSAGE)
#undef MESSAGE
	_LOG_MESSAGE_MAX,
};

