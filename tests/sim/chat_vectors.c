/* Vectors of texts, as each dialect has them that makes any. */
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/backend/dialect/simulated_text.h"
#include "tests/sim/chat.h"

/* ---- Requests ---- */

/* What it does not know, it does not ignore. */
static bool knows(struct chat_request *request, const char *const *names, struct bytes *error)
{
	json_object_object_foreach(request->json, name, value) {
		size_t i = 0;

		(void) value;
		while (names[i] && strcmp(name, names[i]) != 0)
			i++;
		if (names[i])
			continue;
		bytes_printf(error, "%s: unknown field", name);
		return false;
	}
	return true;
}

static bool take_dimensions(struct chat_request *request, struct json_object *dimensions, struct bytes *error)
{
	if (!dimensions)
		return true;
	request->n_dimensions = json_object_get_int(dimensions);
	if (json_object_is_type(dimensions, json_type_int) && request->n_dimensions > 0)
		return true;
	bytes_text(error, "the number of dimensions is no positive integer");
	return false;
}

/* A list of texts, none of which may be empty. */
static bool take_texts(struct chat_request *request, struct json_object *texts, const char *what,
		       struct bytes *error)
{
	bool is_list = json_object_is_type(texts, json_type_array) && json_object_array_length(texts) > 0;

	for (size_t i = 0; is_list && i < json_object_array_length(texts); i++) {
		struct json_object *text = json_object_array_get_idx(texts, i);

		is_list = json_object_is_type(text, json_type_string) && json_object_get_string_len(text) > 0;
		if (is_list)
			chat_add_content(request, json_object_get_string(text));
	}
	if (!is_list)
		bytes_printf(error, "'%s' must be a list of texts that are not empty", what);
	return is_list;
}

static bool one_of(const char *word, const char *const *words, const char *what, struct bytes *error)
{
	for (size_t i = 0; word && words[i]; i++)
		if (strcmp(word, words[i]) == 0)
			return true;
	bytes_printf(error, "%s: %s is none", what, word ? word : "nothing");
	return false;
}

static bool read_openai(struct chat_request *request, struct bytes *error)
{
	static const char *const known[] = { "model", "input", "dimensions", "encoding_format", "user", NULL };
	struct json_object *input = chat_member(request->json, "input");

	if (json_object_is_type(input, json_type_string))
		chat_add_content(request, json_object_get_string(input));
	else if (!take_texts(request, input, "input", error))
		return false;
	return knows(request, known, error) &&
	       take_dimensions(request, chat_member(request->json, "dimensions"), error);
}

static bool read_mistral(struct chat_request *request, struct bytes *error)
{
	static const char *const known[] = { "model", "input", "output_dimension", "output_dtype",
					     "encoding_format", NULL };

	return knows(request, known, error) &&
	       take_texts(request, chat_member(request->json, "input"), "input", error) &&
	       take_dimensions(request, chat_member(request->json, "output_dimension"), error);
}

static const char *const input_types[] = { "search_document", "search_query", "classification", "clustering",
					   NULL };

static bool read_cohere(struct chat_request *request, struct bytes *error)
{
	static const char *const known[] = { "model", "texts", "input_type", "embedding_types",
					     "output_dimension", "max_tokens", "truncate", "priority", NULL };
	static const char *const floats[] = { "float", NULL };
	struct json_object *types = chat_member(request->json, "embedding_types");
	struct json_object *type = json_object_is_type(types, json_type_array) ?
					   json_object_array_get_idx(types, 0) : NULL;

	return knows(request, known, error) &&
	       take_texts(request, chat_member(request->json, "texts"), "texts", error) &&
	       one_of(chat_text_member(request->json, "input_type"), input_types, "input_type", error) &&
	       one_of(type ? json_object_get_string(type) : "float", floats, "embedding_types", error) &&
	       take_dimensions(request, chat_member(request->json, "output_dimension"), error);
}

static const char *const task_types[] = { "RETRIEVAL_DOCUMENT", "RETRIEVAL_QUERY", "SEMANTIC_SIMILARITY",
					  "CLASSIFICATION", "CLUSTERING", NULL };

static bool read_gemini_text(struct chat_request *request, struct json_object *item, struct bytes *error)
{
	struct json_object *parts = chat_member(chat_member(item, "content"), "parts");
	struct json_object *part = json_object_is_type(parts, json_type_array) ?
					   json_object_array_get_idx(parts, 0) : NULL;
	const char *text = chat_text_member(part, "text"), *model = chat_text_member(item, "model");
	const char *type = chat_text_member(item, "taskType");

	if (!text || !*text || !model || strncmp(model, "models/", 7) != 0 ||
	    strcmp(model + 7, request->model) != 0) {
		bytes_text(error, "a request has the model that is asked, and a content of one part, a text");
		return false;
	}
	chat_add_content(request, text);
	return (!type || one_of(type, task_types, "taskType", error)) &&
	       take_dimensions(request, chat_member(item, "outputDimensionality"), error);
}

static bool read_gemini(struct chat_request *request, struct bytes *error)
{
	static const char *const known[] = { "model", "requests", NULL };
	struct json_object *requests = chat_member(request->json, "requests");
	bool ok = json_object_is_type(requests, json_type_array) && json_object_array_length(requests) > 0;

	if (!ok)
		bytes_text(error, "requests: at least one is wanted");
	for (size_t i = 0; ok && i < json_object_array_length(requests); i++)
		ok = read_gemini_text(request, json_object_array_get_idx(requests, i), error);
	return ok && knows(request, known, error);
}

/* One text at a time, as some models want it. */
static bool read_vertex(struct chat_request *request, struct bytes *error)
{
	static const char *const known[] = { "model", "instances", "parameters", NULL };
	struct json_object *instances = chat_member(request->json, "instances");
	struct json_object *instance = json_object_is_type(instances, json_type_array) &&
						       json_object_array_length(instances) == 1 ?
					       json_object_array_get_idx(instances, 0) : NULL;
	const char *text = chat_text_member(instance, "content");
	const char *type = chat_text_member(instance, "task_type");

	if (!text || !*text) {
		bytes_text(error, "instances: exactly one is wanted, with a content");
		return false;
	}
	chat_add_content(request, text);
	return knows(request, known, error) && (!type || one_of(type, task_types, "task_type", error)) &&
	       take_dimensions(request, chat_member(chat_member(request->json, "parameters"),
						    "outputDimensionality"), error);
}

static bool is_cohere(const struct chat_request *request)
{
	return strstr(request->model, "cohere.") != NULL;
}

static bool read_bedrock(struct chat_request *request, struct bytes *error)
{
	static const char *const titan[] = { "model", "inputText", "dimensions", "normalize",
					     "embeddingTypes", NULL };
	static const char *const cohere[] = { "model", "texts", "input_type", "output_dimension", "truncate",
					      "embedding_types", NULL };
	const char *text = chat_text_member(request->json, "inputText");

	if (is_cohere(request))
		return knows(request, cohere, error) &&
		       take_texts(request, chat_member(request->json, "texts"), "texts", error) &&
		       one_of(chat_text_member(request->json, "input_type"), input_types, "input_type", error) &&
		       take_dimensions(request, chat_member(request->json, "output_dimension"), error);
	if (!text || !*text) {
		bytes_text(error, "expected minLength: 1, inputText");
		return false;
	}
	chat_add_content(request, text);
	return knows(request, titan, error) &&
	       take_dimensions(request, chat_member(request->json, "dimensions"), error);
}

/* ---- Answers ---- */

static void write_vector(struct bytes *out, const struct chat_vectors *vectors, size_t i)
{
	size_t n = (size_t) vectors->n_dimensions;
	double *vector = must_have(calloc(n, sizeof(*vector)));

	simulated_vector(vectors->texts[i], vectors->seed, vector, n);
	for (size_t k = 0; k < n; k++)
		bytes_printf(out, "%s%.17g", k == 0 ? "[" : ",", vector[k]);
	bytes_text(out, "]");
	free(vector);
}

/* With that before and behind each. */
static void write_list(struct bytes *out, const struct chat_vectors *vectors, const char *before,
		       const char *behind)
{
	bytes_text(out, "[");
	for (size_t i = 0; i < vectors->n_texts; i++) {
		bytes_text(out, i > 0 ? "," : "");
		bytes_text(out, before);
		write_vector(out, vectors, i);
		bytes_text(out, behind);
	}
	bytes_text(out, "]");
}

static void write_openai(struct bytes *out, const struct chat_vectors *vectors)
{
	bytes_text(out, "{\"object\":\"list\",\"data\":[");
	for (size_t i = 0; i < vectors->n_texts; i++) {
		bytes_printf(out, "%s{\"object\":\"embedding\",\"index\":%zu,\"embedding\":", i > 0 ? "," : "", i);
		write_vector(out, vectors, i);
		bytes_text(out, "}");
	}
	bytes_text(out, "],\"model\":");
	bytes_json(out, span_of(vectors->model));
	if (vectors->usage)
		bytes_printf(out, ",\"usage\":{\"prompt_tokens\":%" PRIi64 ",\"total_tokens\":%" PRIi64 "}",
			     vectors->input_tokens, vectors->input_tokens);
	bytes_text(out, "}");
}

static void write_cohere(struct bytes *out, const struct chat_vectors *vectors)
{
	bytes_text(out, "{\"id\":\"simulated\",\"response_type\":\"embeddings_by_type\",\"embeddings\":{\"float\":");
	write_list(out, vectors, "", "");
	bytes_text(out, "},\"texts\":[");
	for (size_t i = 0; i < vectors->n_texts; i++) {
		bytes_text(out, i > 0 ? "," : "");
		bytes_json(out, span_of(vectors->texts[i]));
	}
	bytes_text(out, "],\"meta\":{\"api_version\":{\"version\":\"2\"}");
	if (vectors->usage)
		bytes_printf(out, ",\"billed_units\":{\"input_tokens\":%" PRIi64 "}", vectors->input_tokens);
	bytes_text(out, "}}");
}

static void write_gemini(struct bytes *out, const struct chat_vectors *vectors)
{
	bytes_text(out, "{\"embeddings\":");
	write_list(out, vectors, "{\"values\":", "}");
	if (vectors->usage)
		bytes_printf(out, ",\"usageMetadata\":{\"promptTokenCount\":%" PRIi64 "}", vectors->input_tokens);
	bytes_text(out, "}");
}

static void write_vertex(struct bytes *out, const struct chat_vectors *vectors)
{
	char behind[96] = "}}";

	if (vectors->usage)
		snprintf(behind, sizeof(behind), ",\"statistics\":{\"truncated\":false,\"token_count\":%" PRIi64 "}}}",
			 vectors->input_tokens);
	bytes_text(out, "{\"predictions\":");
	write_list(out, vectors, "{\"embeddings\":{\"values\":", behind);
	bytes_text(out, "}");
}

static void write_bedrock(struct bytes *out, const struct chat_vectors *vectors)
{
	if (strstr(vectors->model, "cohere.")) {
		bytes_text(out, "{\"id\":\"simulated\",\"response_type\":\"embeddings_floats\",\"embeddings\":");
		write_list(out, vectors, "", "");
		bytes_text(out, "}");
		return;
	}
	bytes_text(out, "{\"embedding\":");
	if (vectors->n_texts > 0)
		write_vector(out, vectors, 0);
	else
		bytes_text(out, "[]");
	if (vectors->usage)
		bytes_printf(out, ",\"inputTextTokenCount\":%" PRIi64, vectors->input_tokens);
	bytes_text(out, "}");
}

const struct chat_vectors_form chat_vectors_openai = {
	.path = "/v1/embeddings", .end = "/embeddings", .read = read_openai, .write = write_openai
};
const struct chat_vectors_form chat_vectors_mistral = {
	.path = "/mistral/v1/embeddings", .read = read_mistral, .write = write_openai
};
const struct chat_vectors_form chat_vectors_cohere = {
	.path = "/v2/embed", .read = read_cohere, .write = write_cohere
};
const struct chat_vectors_form chat_vectors_gemini = {
	.end = ":batchEmbedContents", .read = read_gemini, .write = write_gemini
};
const struct chat_vectors_form chat_vectors_vertex = {
	.end = ":predict", .read = read_vertex, .write = write_vertex
};
const struct chat_vectors_form chat_vectors_bedrock = {
	.end = "/invoke", .read = read_bedrock, .write = write_bedrock
};
