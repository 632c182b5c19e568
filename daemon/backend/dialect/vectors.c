/* The vectors of texts, out of an answer: one for each text, and all of the same length. */
#include <math.h>
#include <stdio.h>

#include "daemon/backend/dialect/answer.h"
#include "daemon/backend/dialect/dialect.h"

/* More decimals say nothing: models work with less. A list of such numbers is quickly written. */
#define SCALE 1e9
#define SCALED_MAX 9007199254740992.0

int llm_target_texts_max(const struct llm_target *target, size_t *ret_max, struct fault *fault)
{
	const struct embedding_form *form = target->dialect->embedding;

	if (!form) {
		fault_set(fault, ELLU_E_UNSUPPORTED, "the provider %s makes no vectors of texts",
			  target->dialect->name);
		snprintf(fault->field, sizeof(fault->field), "llm_config.provider");
		return fault->code;
	}
	*ret_max = form->texts_max;
	return 0;
}

double answer_rounded(double value)
{
	double scaled = value * SCALE;

	return fabs(scaled) < SCALED_MAX ? nearbyint(scaled) / SCALE : value;
}

static size_t count(struct json_value *list)
{
	struct json_value *each;
	size_t n = 0;

	JSON_EACH(each, list)
		n++;
	return n;
}

/* The first one says how long they are. */
static bool make_room(struct answer *answer, size_t n_dimensions)
{
	const size_t n = answer->call->embedding->n_texts;
	struct arena *arena = &answer->call->arena;

	if (n_dimensions > EMBEDDING_DIMENSIONS_MAX) {
		attempt_too_large(answer->attempt, EMBEDDING_DIMENSIONS_MAX,
				  "a vector: more than %d numbers", EMBEDDING_DIMENSIONS_MAX);
		answer->unusable = true;
		return false;
	}
	answer->n_dimensions = n_dimensions;
	answer->vectors = arena_array(arena, n * n_dimensions, sizeof(*answer->vectors));
	answer->has_vector = arena_array(arena, n, sizeof(*answer->has_vector));
	for (size_t i = 0; answer->has_vector && i < n; i++)
		answer->has_vector[i] = false;
	if (!answer->vectors || !answer->has_vector)
		answer_unusable(answer, "out of memory");
	return !answer->unusable;
}

static void take_numbers(struct answer *answer, struct json_value *vector, double *at)
{
	struct json_value *each;

	JSON_EACH(each, vector) {
		double value = json_is(each, JSON_NUMBER) ? json_number(each) : NAN;

		if (!isfinite(value)) {
			answer_unusable(answer, "a vector of the answer holds what is no number");
			return;
		}
		*at++ = answer_rounded(value);
	}
}

void answer_vector(struct answer *answer, size_t number, struct json_value *vector)
{
	size_t n_dimensions = count(vector);

	if (answer->unusable)
		return;
	if (n_dimensions == 0) {
		answer_unusable(answer, "a vector of the answer is not a list of numbers");
		return;
	}
	if (!answer->vectors && !make_room(answer, n_dimensions))
		return;
	if (n_dimensions != answer->n_dimensions || number >= answer->call->embedding->n_texts ||
	    answer->has_vector[number]) {
		answer_unusable(answer, "the answer's vectors are not one of the same length for each text");
		return;
	}
	take_numbers(answer, vector, answer->vectors + number * n_dimensions);
	answer->has_vector[number] = true;
	answer->n_vectors++;
}

void answer_vectors(struct answer *answer, struct json_value *vectors)
{
	struct json_value *vector;
	size_t i = 0;

	JSON_EACH(vector, vectors)
		answer_vector(answer, i++, vector);
}

void vectors_end(struct answer *answer)
{
	char words[96];

	if (answer->n_vectors < answer->call->embedding->n_texts) {
		snprintf(words, sizeof(words), "the answer has vectors for %zu of %zu texts",
			 answer->n_vectors, answer->call->embedding->n_texts);
		answer_unusable(answer, words);
	}
	if (answer->unusable)
		return;
	answer->call->vectors = answer->vectors;
	answer->call->n_dimensions = answer->n_dimensions;
	answer->attempt->class = ATTEMPT_ANSWERED;
}
