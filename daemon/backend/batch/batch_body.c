#include "daemon/backend/dialect/dialect.h"
#include "daemon/backend/dialect/target.h"
#include "daemon/backend/provider_batch.h"

struct request_form batch_form_first(const struct llm_target *target)
{
	struct request_form form = target->dialect->form;

	if (target->structured_fixed)
		form.structured_output = target->structured_output;
	return form;
}

bool batch_form_change(const struct llm_call *call, enum error_hint hint, struct request_form *form)
{
	const struct dialect *dialect = call->target->dialect;
	const struct request_form used = *form;

	return hint != HINT_NONE && dialect->change_form && dialect->change_form(call, hint, &used, form);
}

void batch_body_begin(struct batch_body *body, const struct llm_target *target, const char *mark)
{
	buffer_clear(&body->text);
	body->n = body->n_bytes = 0;
	target->dialect->batch->open(mark, &body->text);
}

void batch_body_add(struct batch_body *body, const struct llm_call *call, const struct request_form *form,
		    const char *custom_id)
{
	const struct dialect *dialect = call->target->dialect;
	size_t before = body->text.size;

	dialect->batch->open_item(custom_id, body->n == 0, &body->text);
	dialect->request(call, form, &body->text);
	dialect->batch->close_item(&body->text);
	body->n++;
	body->n_bytes += body->text.size - before;
}

void batch_body_end(struct batch_body *body, const struct llm_target *target, const char *mark)
{
	target->dialect->batch->close(mark, &body->text);
}

void batch_body_done(struct batch_body *body)
{
	buffer_done(&body->text);
	body->n = body->n_bytes = 0;
}
