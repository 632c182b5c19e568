/*
 * Vectors of each dialect as its provider documents them (tests/samples/dialects/vectors.json): asked for, and
 * read; and as the simulated endpoint has them.
 */
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/backend/dialect/request.h"
#include "daemon/backend/dialect/simulated_text.h"
#include "proto/generated/interface.h"
#include "proto/record/record.h"
#include "tests/sim/chat.h"
#include "tests/unit/backend/golden.h"
#include "tests/unit/suite.h"

static const char vectors_key[] = "vectors";

static struct llm_target *vectors_target(json_object *golden, json_object *wanted)
{
	struct ellu_llm_config config = ELLU_RECORD(struct ellu_llm_config);
	struct llm_target *target;
	struct fault fault = { 0 };

	config.name = "c";
	config.provider = golden_text(golden, "provider");
	config.llm_model_name = golden_member(golden, "model") ? golden_text(golden, "model") : "m";
	config.llm_base_url = golden_text(golden, "base");
	config.api_key = KEY;
	config.extra_body = golden_text(wanted, "extra_body");
	ck_assert_msg(llm_target_new(&config, &target, &fault) == 0, "%s", fault.message);
	return target;
}

/* As many of the texts as go into one request. */
static void ask_vectors(struct llm_target *target, const struct ellu_embed_request *request,
			struct llm_embedding *embedding, struct llm_call *call)
{
	size_t max;
	struct fault fault = { 0 };

	ck_assert_int_eq(llm_target_texts_max(target, &max, &fault), 0);
	*embedding = (struct llm_embedding){ request->texts, request->n_texts < max ? request->n_texts : max,
					     request->dimensions, request->purpose };
	*call = (struct llm_call){ .target = target, .embedding = embedding, .input_tokens = -1,
				   .output_tokens = -1, .reasoning_tokens = -1, .cached_tokens = -1,
				   .cost_nanodollars = -1 };
}

static json_object *read_vectors(struct llm_call *call, int status, char *body, size_t size)
{
	struct attempt attempt = { .status = status, .wait_usec = -1 };
	json_object *result, *vectors;
	struct json_reader reader = { 0 };
	struct answer answer;

	if (status >= 300) {
		refusal_read(call->target, &reader, NULL, body, size, &attempt);
	} else {
		answer_begin(&answer, call, &reader, NULL, &attempt);
		answer_end(&answer, body, size);
		answer_done(&answer);
	}
	result = golden_result(call, &attempt);
	if (attempt.class == ATTEMPT_ANSWERED) {
		vectors = json_object_new_array();
		for (size_t i = 0; i < call->embedding->n_texts; i++) {
			json_object *vector = json_object_new_array();

			for (size_t k = 0; k < call->n_dimensions; k++)
				json_object_array_add(vector, json_object_new_double(
								      call->vectors[i * call->n_dimensions + k]));
			json_object_array_add(vectors, vector);
		}
		json_object_object_add(result, vectors_key, vectors);
	}
	arena_done(&call->arena);
	json_reader_done(&reader);
	return result;
}

static const struct ellu_embed_request *embed_request(json_object *neutral, struct arena *arena)
{
	const char *text = json_object_to_json_string(neutral);
	struct fault fault = { 0 };
	void *record;

	ck_assert_msg(record_from_text(&ellu_embed_request_type, text, strlen(text), FROM_CLIENT, arena,
				       &record, &fault) >= 0, "%s", fault.message);
	return record;
}

/* What the simulated endpoint makes of the request, and we of its answer. */
static void ask_sim(const char *name, struct llm_call *call, struct span body, json_object *places)
{
	const char *url = call->target->urls[URL_EMBEDDING].text, *path = strchr(strstr(url, "://") + 3, '/');
	const struct llm_embedding *embedding = call->embedding;
	struct chat_vectors vectors = { .n_dimensions = 3, .usage = true, .input_tokens = 12 };
	struct chat_request request;
	struct chat_wanted wanted;
	struct bytes error = { 0 }, answer = { 0 };
	json_object *result, *json;

	ck_assert_msg(chat_find((struct span){ path, strcspn(path, "?") }, &wanted) && wanted.vectors, "%s", url);
	if (!chat_request_parse(body, &wanted, &request, &error))
		ck_abort_msg("%s, %s: %.*s", url, name, (int)error.size, error.data);
	ck_assert_uint_eq(request.n_contents, embedding->n_texts);
	ck_assert_int_eq(request.n_dimensions, embedding->dimensions ? *embedding->dimensions : 0);
	vectors.model = request.model;
	vectors.texts = request.contents;
	vectors.n_texts = request.n_contents;
	wanted.dialect->vectors->write(&answer, &vectors);
	json = golden_parse(answer.data, answer.size);
	golden_walk(json, "", places, url);
	result = read_vectors(call, 200, answer.data, answer.size);
	ck_assert_msg(golden_member(result, vectors_key) != NULL, "%s", json_object_to_json_string(result));
	for (size_t i = 0; i < embedding->n_texts; i++) {
		json_object *vector = json_object_array_get_idx(golden_member(result, vectors_key), i);
		double expected[3];

		simulated_vector(embedding->texts[i], 0, expected, 3);
		for (size_t k = 0; k < 3; k++)
			ck_assert_double_eq(json_object_get_double(json_object_array_get_idx(vector, k)),
					    answer_rounded(expected[k]));
	}
	json_object_put(json);
	json_object_put(result);
	bytes_done(&answer);
	chat_request_done(&request);
}

static void check_vector_requests(json_object *golden, json_object *questions)
{
	json_object *places = golden_places(golden);

	json_object_object_foreach(questions, name, neutral) {
		json_object *wanted = golden_member(golden_member(golden, "requests"), name), *found;
		struct llm_target *target = vectors_target(golden, wanted);
		struct llm_embedding embedding;
		struct buffer body = { 0 };
		struct arena arena;
		struct llm_call call;

		arena_init(&arena);
		ck_assert_msg(wanted != NULL, "%s lacks %s", golden_text(golden, "provider"), name);
		ask_vectors(target, embed_request(neutral, &arena), &embedding, &call);
		target->dialect->embedding->request(&call, &body);
		ck_assert(!body.failed);
		found = golden_parse(body.data, body.size);
		golden_expect(golden_text(golden, "provider"), name, golden_member(wanted, "body"), found);
		if (golden_member(wanted, "url"))
			ck_assert_str_eq(golden_text(wanted, "url"), target_url_of(&call)->text);
		if (!golden_member(wanted, "extra_body"))
			ask_sim(name, &call, (struct span){ body.data, body.size }, places);
		json_object_put(found);
		buffer_done(&body);
		llm_target_unref(target);
		arena_done(&arena);
	}
	json_object_put(places);
}

static void check_vector_answers(json_object *golden, json_object *questions)
{
	struct llm_target *target = vectors_target(golden, NULL);
	struct arena arena;
	const struct ellu_embed_request *request;

	arena_init(&arena);
	request = embed_request(golden_member(questions, "texts"), &arena);
	json_object_object_foreach(golden_member(golden, "answers"), name, answer) {
		json_object *status = golden_member(answer, "status"), *result;
		struct llm_embedding embedding;
		struct buffer body = { 0 };
		struct llm_call call;

		ask_vectors(target, request, &embedding, &call);
		buffer_text(&body, json_object_to_json_string(golden_member(answer, "body")));
		result = read_vectors(&call, status ? json_object_get_int(status) : 200, body.data, body.size);
		golden_expect(golden_text(golden, "provider"), name, golden_member(answer, "then"), result);
		json_object_put(result);
		buffer_done(&body);
	}
	arena_done(&arena);
	llm_target_unref(target);
}

START_TEST(vectors)
{
	json_object *file = golden_read(vectors_key), *all = golden_member(file, "dialects");

	for (size_t i = 0; i < json_object_array_length(all); i++) {
		json_object *golden = json_object_array_get_idx(all, i);

		check_vector_requests(golden, golden_member(file, "questions"));
		check_vector_answers(golden, golden_member(file, "questions"));
	}
	json_object_put(file);
}
END_TEST

/* A vector is no longer than it may be, whatever a provider sends. */
START_TEST(a_long_vector)
{
	json_object *file = golden_read(vectors_key);
	json_object *golden = json_object_array_get_idx(golden_member(file, "dialects"), 0), *result;
	struct llm_target *target = vectors_target(golden, NULL);
	struct buffer body = { 0 };
	struct llm_embedding embedding;
	struct llm_call call;
	struct arena arena;

	arena_init(&arena);
	ask_vectors(target, embed_request(golden_member(golden_member(file, "questions"), "query"), &arena), &embedding, &call);
	buffer_text(&body, "{\"data\":[{\"embedding\":[0");
	for (int i = 0; i < EMBEDDING_DIMENSIONS_MAX; i++)
		buffer_text(&body, ",0");
	buffer_text(&body, "]}]}");
	result = read_vectors(&call, 200, body.data, body.size);
	ck_assert_str_eq(golden_text(result, "class"), "item");
	ck_assert_str_eq(golden_text(result, "message"), "a vector: more than 4096 numbers");
	json_object_put(result);
	buffer_done(&body);
	arena_done(&arena);
	llm_target_unref(target);
	json_object_put(file);
}
END_TEST

int main(void)
{
	return RUN_TESTS(vectors, a_long_vector);
}
