/* What holds a thing, from the thing. */
#pragma once

#include <stddef.h>

#define container_of(pointer, type, member) ((type *)((char *)(pointer) - offsetof(type, member)))
