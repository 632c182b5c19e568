#include "client/cli/transfer/answers.h"

#include <errno.h>

#include "client/cli/call.h"
#include "proto/generated/interface.h"
#include "proto/limits.h"

#define CALL_BYTES_MAX (ROWS_BYTES_MAX - 65536) // as text, which is more than the fields alone

int answers_send(struct answers *answers)
{
	const struct method *method = method_named("AddResponses");
	json_object *request = json_object_new_object();
	const struct ellu_add_responses_reply *added;
	const void *reply;
	int status;

	if (!answers->list || !request) {
		json_object_put(request);
		return answers->list ? cli_fail(-ENOMEM, NULL) : 0;
	}
	json_object_object_add(request, "experiment", json_object_get(answers->experiment));
	json_object_object_add(request, "responses", answers->list);
	answers->list = NULL;
	answers->bytes = answers->n = 0;
	status = call_json(answers->cli, method, request, &reply);
	if (status) {
		cli_error("so said of the answers from %s:%ld on", answers->name, answers->line);
		return status;
	}
	added = reply;
	answers->added += added->added;
	answers->present += added->present;
	ellu_free(reply);
	return 0;
}

static size_t count(json_object *answer)
{
	json_object *ratings = json_object_object_get(answer, "ratings");
	size_t n = 1;

	for (size_t i = 0; json_object_is_type(ratings, json_type_array) && i < json_object_array_length(ratings); i++) {
		json_object *rating = json_object_array_get_idx(ratings, i);

		n += json_object_is_type(rating, json_type_object) && json_object_object_get(rating, "edited") ? 2 : 1;
	}
	return n;
}

int answers_take(struct answers *answers, json_object *answer, long line)
{
	size_t size, n = count(answer);
	int status = 0;

	if (!json_text(answer, &size))
		return cli_fail(-ENOMEM, NULL);
	if (answers->list && (json_object_array_length(answers->list) == ROWS_MAX || answers->n + n > MADE_MAX ||
			      answers->bytes + size > CALL_BYTES_MAX))
		status = answers_send(answers);
	if (status)
		return status;
	if (!answers->list) {
		answers->list = json_object_new_array();
		answers->line = line;
	}
	answers->bytes += size;
	answers->n += n;
	if (!answers->list || json_object_array_add(answers->list, json_object_get(answer)) < 0)
		return cli_fail(-ENOMEM, NULL);
	return 0;
}

void answers_done(struct answers *answers)
{
	json_object_put(answers->list);
	answers->list = NULL;
}
