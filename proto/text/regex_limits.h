/* How much a regular expression may be, and take. */
#pragma once

#define REGEX_CHARS_MAX 1000 // of a pattern
#define REGEX_REPEAT_MAX 1000 // in {m,n}
#define REGEX_DEPTH_MAX 64 // groups inside each other
#define REGEX_CODE_MAX 4000 // instructions; a character or class takes one, a repetition one or two
#define REGEX_STEPS_MAX 16000000 // some tens of milliseconds
