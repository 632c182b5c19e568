#include "daemon/front/openai/embeddings.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "elluminate-types.h"
#include "proto/cleanup.h"
#include "proto/json/json_check.h"
#include "proto/record/record.h"

#define TEXTS_MAX 2048 // of a request, as theirs

/* ---- Requests ---- */

static int read_input(json_object *input, struct embeddings_request *request, struct fault *fault)
{
	static const char expected[] = "a text, or 1 to %d texts; tokens cannot be passed on";
	size_t n = array_length(input);

	if (json_object_is_type(input, json_type_string)) {
		request->texts = json_object_new_array();
		if (!request->texts || json_object_array_add(request->texts, json_object_get(input)) < 0)
			return fault_oom(fault);
		return 0;
	}
	if (n < 1 || n > TEXTS_MAX)
		return fault_invalid(fault, "input", expected, TEXTS_MAX);
	for (size_t i = 0; i < n; i++)
		if (!json_object_is_type(json_object_array_get_idx(input, i), json_type_string))
			return fault_invalid(fault, "input", expected, TEXTS_MAX);
	request->texts = json_object_get(input);
	return 0;
}

int embeddings_request_read(json_object *body, struct embeddings_request *ret_request,
			    struct fault *fault)
{
	static const char *const known[] = { "model", "input", "dimensions", "encoding_format", "user" };
	const char *format = member_text(body, "encoding_format");

	*ret_request = (struct embeddings_request){
		.model = member_text(body, "model"),
		.dimensions = member(body, "dimensions"),
		.base64 = format && strcmp(format, "base64") == 0,
	};
	if (!json_object_is_type(body, json_type_object))
		return fault_message(fault, 0, "expected a JSON object");
	json_object_object_foreach (body, name, value) {
		bool is_known = !value;

		for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
			is_known |= strcmp(known[i], name) == 0;
		if (!is_known)
			return fault_invalid(fault, name, "nothing: it is not known here");
	}
	if (!ret_request->model)
		return fault_invalid(fault, "model", "the name of a config, as /v1/models lists them");
	if (member(body, "encoding_format") &&
	    (!format || (!ret_request->base64 && strcmp(format, "float") != 0)))
		return fault_invalid(fault, "encoding_format", "float or base64");
	return read_input(member(body, "input"), ret_request, fault);
}

/* ---- Answers ---- */

static char *base64_of(const uint8_t *bytes, size_t size)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	char *text = malloc((size + 2) / 3 * 4 + 1), *out = text;

	for (size_t i = 0; text && i < size; i += 3) {
		size_t n = size - i < 3 ? size - i : 3;
		uint32_t three = (uint32_t)bytes[i] << 16 | (n > 1 ? (uint32_t)bytes[i + 1] << 8 : 0) |
				 (n > 2 ? bytes[i + 2] : 0);

		*out++ = digits[three >> 18];
		*out++ = digits[three >> 12 & 63];
		*out++ = n > 1 ? digits[three >> 6 & 63] : '=';
		*out++ = n > 2 ? digits[three & 63] : '=';
	}
	if (text)
		*out = 0;
	return text;
}

/* A list of numbers may be a text that is written as it stands. */
static json_object *read_again(struct json_maker *maker, json_object *numbers)
{
	json_object *list = NULL;
	struct fault fault = { 0 };
	size_t size = 0;
	const char *text = json_text(numbers, &size);

	if (!text || json_parse_strict(text, size, &list, &fault) < 0)
		maker->failed = true;
	return list;
}

/* Their numbers are of 32 bits, the lowest byte first. */
static json_object *packed(struct json_maker *maker, json_object *numbers)
{
	_cleanup_json_ json_object *vector = read_again(maker, numbers);
	size_t n = array_length(vector);
	uint8_t *bytes = malloc(n * 4 + 1);
	json_object *text;
	char *encoded;

	for (size_t i = 0; bytes && i < n; i++) {
		float number = (float)json_object_get_double(json_object_array_get_idx(vector, i));
		uint32_t bits;

		memcpy(&bits, &number, sizeof(bits));
		for (size_t j = 0; j < 4; j++)
			bytes[i * 4 + j] = (uint8_t)(bits >> (8 * j));
	}
	encoded = bytes ? base64_of(bytes, n * 4) : NULL;
	text = encoded ? make_text(maker, encoded) : NULL;
	if (!encoded)
		maker->failed = true;
	free(encoded);
	free(bytes);
	return text;
}

void embeddings_add(struct json_maker *maker, const struct embeddings_request *request,
		    json_object *result, int64_t index, json_object *list)
{
	json_object *embeddings = member(result, "embeddings");

	for (size_t i = 0; i < array_length(embeddings); i++) {
		json_object *vector = member(json_object_array_get_idx(embeddings, i), "vector");
		json_object *one = make_object(maker);

		put_text(maker, one, "object", "embedding");
		put_int(maker, one, "index", index + (int64_t)i);
		put(maker, one, "embedding",
		    request->base64 ? packed(maker, vector) : json_object_get(vector));
		append(maker, list, one);
	}
}
