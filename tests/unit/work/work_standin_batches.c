/* Batches of providers, of which nobody here has any. */
#include "daemon/backend/provider_batch.h"
#include "tests/unit/work/work_standin_internal.h"

struct request_form batch_form_first(const struct llm_target *target)
{
	(void)target;
	standin_wrong("nothing is given as a batch");
	return (struct request_form){ 0 };
}

bool batch_form_change(const struct llm_call *call, enum error_hint hint, struct request_form *form)
{
	(void)call;
	(void)hint;
	(void)form;
	return false;
}

void batch_body_begin(struct batch_body *body, const struct llm_target *target, const char *mark)
{
	(void)body;
	(void)target;
	(void)mark;
}

void batch_body_add(struct batch_body *body, const struct llm_call *call, const struct request_form *form,
		    const char *custom_id)
{
	(void)body;
	(void)call;
	(void)form;
	(void)custom_id;
}

void batch_body_end(struct batch_body *body, const struct llm_target *target, const char *mark)
{
	(void)body;
	(void)target;
	(void)mark;
}

void batch_body_done(struct batch_body *body)
{
	(void)body;
}

int provider_batch_ask(struct backend *backend, struct provider_batch *batch)
{
	(void)backend;
	(void)batch;
	return 0;
}

int provider_batch_cancel(struct backend *backend, struct provider_batch *batch)
{
	(void)backend;
	(void)batch;
	return 0;
}

void batch_result_give_back(struct backend *backend, struct batch_result *result)
{
	(void)backend;
	(void)result;
}
