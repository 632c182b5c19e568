/*
 * An answer that is judged before it is used: a skill has a prompt, and validators with thresholds that
 * say of each answer whether it is valid. One that is not is asked for again, twice at most.
 *
 *	skill [TOPIC]
 */
#include <elluminate.h>
#include <stdio.h>

#include "sample.h"

static int make_evaluator(struct ellu *daemon, const char *name, const char *prompt)
{
	struct ellu_get_or_create_evaluator_request request =
		ELLU_RECORD(struct ellu_get_or_create_evaluator_request);
	struct ellu_evaluator evaluator = ELLU_RECORD(struct ellu_evaluator);
	const struct ellu_get_or_create_evaluator_reply *reply;
	const struct ellu_error *error;
	int r;

	evaluator.name = name;
	evaluator.prompt = prompt;
	request.evaluator = &evaluator;
	r = ellu_get_or_create_evaluator(daemon, &request, &reply, &error);
	if (r < 0)
		return sample_complain(r, error);
	ellu_free(reply);
	return 0;
}

/* The second one is only observed: its threshold is 0. */
static int make_skill(struct ellu *daemon)
{
	static const char *const names[] = { "Brief enough", "Friendly enough" };
	static const double thresholds[] = { 0.3, 0 };
	struct ellu_get_or_create_skill_request request =
		ELLU_RECORD(struct ellu_get_or_create_skill_request);
	const struct ellu_get_or_create_skill_reply *reply;
	struct ellu_ref evaluators[2];
	struct ellu_validator validators[2];
	const struct ellu_validator *const list[] = { &validators[0], &validators[1] };
	struct ellu_skill skill = ELLU_RECORD(struct ellu_skill);
	const struct ellu_error *error;
	int r;

	for (int i = 0; i < 2; i++) {
		evaluators[i] = ELLU_RECORD(struct ellu_ref);
		evaluators[i].name = names[i];
		validators[i] = ELLU_RECORD(struct ellu_validator);
		validators[i].evaluator = &evaluators[i];
		validators[i].threshold = thresholds[i];
	}
	skill.name = "Greeting";
	skill.prompt = "Welcome somebody who asks about {{topic}}, in one sentence.";
	skill.validators = list;
	skill.n_validators = 2;
	request.skill = &skill;
	r = ellu_get_or_create_skill(daemon, &request, &reply, &error);
	if (r < 0)
		return sample_complain(r, error);
	ellu_free(reply);
	return 0;
}

static void print_result(const struct ellu_skill_result *skill)
{
	printf("%s\nvalid: %s, after %lld answers\n", skill->response,
	       skill->validation->is_valid ? "yes" : "no", (long long) skill->answers);
	for (size_t i = 0; i < skill->validation->n_validator_results; i++) {
		const struct ellu_validator_result *validator = skill->validation->validator_results[i];

		if (validator->result)
			printf("%s: %.2f of %.2f, %s\n", validator->evaluator_name, *validator->result,
			       validator->threshold,
			       validator->justification ? validator->justification : "");
		else
			printf("%s: %s\n", validator->evaluator_name, validator->status);
	}
}

static int run(struct ellu *daemon, const char *topic)
{
	const struct ellu_ref greeting = { .struct_size = sizeof(greeting), .name = "Greeting" };
	const int64_t again = 2;
	struct ellu_run_skill_request request = ELLU_RECORD(struct ellu_run_skill_request);
	const struct ellu_run_skill_reply *reply;
	const struct ellu_error *error;
	char variables[200];
	int r, status;

	snprintf(variables, sizeof(variables), "{\"topic\": \"%s\"}", topic);
	request.skill = &greeting;
	request.variables = variables;
	request.until_valid = &again;
	r = ellu_run_skill(daemon, &request, &reply, &error);
	if (r < 0)
		return sample_complain(r, error);
	status = ellu_task_is_success(reply->task) ? 0 : 10;
	if (status == 0)
		print_result(reply->task->result->skill);
	else
		printf("%s: %s\n", reply->task->status,
		       reply->task->error ? reply->task->error->message : "");
	ellu_free(reply);
	return status;
}

int main(int argc, char **argv)
{
	struct ellu *daemon = sample_open(ELLU_BLOCKING);
	int status;

	if (!daemon)
		return 1;
	status = make_evaluator(daemon, "Brief enough",
				"How brief is this, where one short sentence is best? {{response}}");
	if (status == 0)
		status = make_evaluator(daemon, "Friendly enough", "How friendly is this? {{response}}");
	if (status == 0)
		status = make_skill(daemon);
	if (status == 0)
		status = run(daemon, argc > 1 ? argv[1] : "tea");
	ellu_close(daemon);
	return status;
}
