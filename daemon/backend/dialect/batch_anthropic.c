/* Message batches of Anthropic: the requests are the batch's own, and nothing else is kept with it. */
#include <string.h>

#include "daemon/backend/dialect/batch_form.h"
#include "proto/text/time_text.h"

static void open(const char *mark, struct buffer *body)
{
	(void)mark;
	buffer_text(body, "{\"requests\":[");
}

static void open_item(const char *custom_id, bool is_first, struct buffer *body)
{
	buffer_text(body, is_first ? "{\"custom_id\":" : ",{\"custom_id\":");
	buffer_json(body, custom_id);
	buffer_text(body, ",\"params\":");
}

static void close_item(struct buffer *body)
{
	buffer_text(body, "}");
}

static void close(const char *mark, struct buffer *body)
{
	(void)mark;
	buffer_text(body, "]}");
}

static bool is_text(const char *text, const char *what)
{
	return text && strcmp(text, what) == 0;
}

/* `{id, processing_status, request_counts: {processing, succeeded, errored, canceled, expired}, created_at}` */
static void news(struct json_value *json, struct batch_news *ret_news)
{
	static const char *const done[] = { "succeeded", "errored", "canceled", "expired" };
	struct json_value *counts = json_member(json, "request_counts");
	const char *created = json_text_member(json, "created_at");
	const char *status = json_text_member(json, "processing_status");

	*ret_news = (struct batch_news){
		.id = json_text_member(json, "id"),
		.state = is_text(status, "ended") ? BATCH_ENDED : BATCH_UNDER_WAY,
		.is_stopping = is_text(status, "canceling"),
	};
	for (size_t i = 0; i < sizeof(done) / sizeof(*done); i++)
		ret_news->n_done += batch_count(counts, done[i]);
	ret_news->n_items = ret_news->n_done + batch_count(counts, "processing");
	ret_news->results[0] = ret_news->id;
	if (!created || time_parse(created, &ret_news->created_usec) < 0)
		ret_news->created_usec = 0;
}

/* `{custom_id, result: {type, message, error}}` */
static void line(struct json_value *json, struct batch_line *ret_line)
{
	struct json_value *result = json_member(json, "result");
	const char *type = json_text_member(result, "type");

	*ret_line = (struct batch_line){ .custom_id = json_text_member(json, "custom_id") };
	if (is_text(type, "canceled") || is_text(type, "expired"))
		ret_line->unasked = true;
	else if (is_text(type, "succeeded") && json_member(result, "message"))
		ret_line->answer = json_member(result, "message");
	else
		ret_line->error = json_member(result, "error") ? json_member(result, "error") : json;
}

const struct batch_form anthropic_batch = {
	.path = "/v1/messages/batches",
	.version_path = "/messages/batches",
	.results_end = "results",
	.after = "after_id",
	.open = open,
	.open_item = open_item,
	.close_item = close_item,
	.close = close,
	.news = news,
	.line = line,
};
