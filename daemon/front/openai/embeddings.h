/* Embeddings as OpenAI's clients ask for them, put onto `Embed`, and back. Pure. */
#pragma once

#include "daemon/front/http/json_maker.h"
#include "proto/fault/fault.h"

struct embeddings_request {
	json_object *texts; // the caller puts it
	const char *model; // of the body
	json_object *dimensions; // of the body, or NULL
	bool base64; // vectors are wanted as text
};

/* 0, or the fault's code. */
int embeddings_request_read(json_object *body, struct embeddings_request *ret_request,
			    struct fault *fault);

/* Adds what one EmbeddingResult has to a list; its first one is of that index. */
void embeddings_add(struct json_maker *maker, const struct embeddings_request *request,
		    json_object *result, int64_t index, json_object *list);
