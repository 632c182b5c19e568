/* Batches of OpenAI: a file of lines, and a batch that names it; results are files as well. */
#include <string.h>

#include "daemon/backend/dialect/batch_form.h"
#include "daemon/base/clock.h"

#define COUNT_MAX 1e12 // of items, or of seconds
#define BOUNDARY "ellu-" // and the mark; no line of JSON begins with a dash

int64_t batch_count(struct json_value *counts, const char *name)
{
	struct json_value *count = json_member(counts, name);
	double number = json_is(count, JSON_NUMBER) ? json_number(count) : 0;

	return number > 0 && number < COUNT_MAX ? (int64_t)number : 0;
}

static void open(const char *mark, struct buffer *body)
{
	buffer_text(body, "--" BOUNDARY);
	buffer_text(body, mark);
	buffer_text(body, "\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\nbatch\r\n--" BOUNDARY);
	buffer_text(body, mark);
	buffer_text(body, "\r\nContent-Disposition: form-data; name=\"file\"; filename=\"");
	buffer_text(body, mark);
	buffer_text(body, ".jsonl\"\r\nContent-Type: application/jsonl\r\n\r\n");
}

static void open_item(const char *custom_id, bool is_first, struct buffer *body)
{
	(void)is_first;
	buffer_text(body, "{\"custom_id\":");
	buffer_json(body, custom_id);
	buffer_text(body, ",\"method\":\"POST\",\"url\":\"/v1/chat/completions\",\"body\":");
}

static void close_item(struct buffer *body)
{
	buffer_text(body, "}\n");
}

static void close(const char *mark, struct buffer *body)
{
	buffer_text(body, "\r\n--" BOUNDARY);
	buffer_text(body, mark);
	buffer_text(body, "--\r\n");
}

static void create(const char *mark, const char *file_id, struct buffer *body)
{
	buffer_text(body, "{\"input_file_id\":");
	buffer_json(body, file_id);
	buffer_text(body, ",\"endpoint\":\"/v1/chat/completions\",\"completion_window\":\"24h\",\"metadata\":{\""
			  BATCH_MARK_MEMBER "\":");
	buffer_json(body, mark);
	buffer_text(body, "}}");
}

static bool is_text(const char *text, const char *what)
{
	return text && strcmp(text, what) == 0;
}

static enum batch_state state_of(const char *status)
{
	static const char *const ended[] = { "completed", "expired", "cancelled" };

	if (is_text(status, "failed"))
		return BATCH_FAILED;
	for (size_t i = 0; i < sizeof(ended) / sizeof(*ended); i++)
		if (is_text(status, ended[i]))
			return BATCH_ENDED;
	return BATCH_UNDER_WAY;
}

/* `{id, status, input_file_id, output_file_id, error_file_id, request_counts, errors: {data: [{code, message}]}}` */
static void news(struct json_value *json, struct batch_news *ret_news)
{
	struct json_value *counts = json_member(json, "request_counts");
	struct json_value *error = json_first(json_member(json_member(json, "errors"), "data"));

	*ret_news = (struct batch_news){
		.id = json_text_member(json, "id"),
		.mark = json_text_member(json_member(json, "metadata"), BATCH_MARK_MEMBER),
		.state = state_of(json_text_member(json, "status")),
		.is_stopping = is_text(json_text_member(json, "status"), "cancelling"),
		.file = json_text_member(json, "input_file_id"),
		.n_items = batch_count(counts, "total"),
		.n_done = batch_count(counts, "completed") + batch_count(counts, "failed"),
		.created_usec = batch_count(json, "created_at") * USEC_PER_SEC,
		.results = { json_text_member(json, "output_file_id"), json_text_member(json, "error_file_id") },
		.error = error,
		.is_full = is_text(json_text_member(error, "code"), "token_limit_exceeded"),
	};
}

/* `{custom_id, response: {status_code, body}, error: {code, message}}`, of which error or response is null. */
static void line(struct json_value *json, struct batch_line *ret_line)
{
	struct json_value *response = json_member(json, "response"), *error = json_member(json, "error");
	struct json_value *body = json_member(response, "body");
	const char *code = json_text_member(error, "code");
	int64_t status = batch_count(response, "status_code");

	*ret_line = (struct batch_line){ .custom_id = json_text_member(json, "custom_id") };
	if (is_text(code, "batch_expired") || is_text(code, "batch_cancelled")) {
		ret_line->unasked = true;
	} else if (error || !body) {
		ret_line->error = json;
	} else if (status >= 200 && status < 300) {
		ret_line->answer = body;
	} else {
		ret_line->error = body;
		ret_line->status = status < 600 ? (int)status : 0;
	}
}

const struct batch_form openai_batch = {
	.path = "/batches",
	.file_path = "/files",
	.content_type = "multipart/form-data; boundary=" BOUNDARY,
	.results_end = "content",
	.after = "after",
	.open = open,
	.open_item = open_item,
	.close_item = close_item,
	.close = close,
	.create = create,
	.news = news,
	.line = line,
};
