/* The forms that a request may have. */
#pragma once

#include <stdbool.h>

/* How an answer of a given form is asked for; a step down is one further. */
enum structured_output {
	STRUCTURED_JSON_SCHEMA,
	STRUCTURED_JSON_OBJECT,
	STRUCTURED_NONE,
};

/* What an endpoint and model turned out to want; learnt from its refusals. */
struct request_form {
	enum structured_output structured_output;
	bool max_completion_tokens; // instead of max_tokens
	bool plain_stream; // one is asked for without options
};
