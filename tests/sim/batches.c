#include "tests/sim/batches.h"

#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemon/base/hash.h"
#include "tests/sim/chat.h"
#include "tests/sim/chat_call.h"
#include "tests/sim/chat_reply.h"
#include "tests/sim/http_server.h"
#include "tests/sim/simulator.h"

struct file {
	struct file *next;
	int64_t number;
	struct bytes text;
};

struct batch {
	struct batch *next; /* made before */
	int64_t number, file_number;
	bool is_openai, deleted;
	char *mark; /* of its metadata, or NULL */
	bool failed, cancelled, expired;
	int64_t n_items, n_succeeded, n_errored, n_expired;
	struct bytes output, errors; /* lines of results; Anthropic's are all in the first */
	time_t created;
};

/* ---- Answers ---- */

static void respond(struct http_conn *conn, int status, const char *headers, struct bytes *body)
{
	http_conn_respond(conn, status, headers, (struct span) { body->data, body->size });
	bytes_done(body);
}

static void refuse(struct http_conn *conn, bool is_openai, int status, const char *message, const char *headers)
{
	const struct chat_dialect *dialect = is_openai ? &chat_openai : &chat_anthropic;
	struct bytes body = { 0 };

	dialect->write_problem(&body, &(const struct chat_problem) {
				       .status = status, .message = message, .type = "invalid_request_error" });
	respond(conn, status, headers, &body);
}

static bool stalls(struct simulator *simulator, const char *step)
{
	const char *stall = simulator->behaviour.batch_stall;

	if (!stall || strcmp(stall, step) != 0)
		return false;
	simulator->batches.n_stalls++;
	return true;
}

/* ---- Items ---- */

static void reverse(struct bytes *lines, const struct bytes *line)
{
	struct bytes joined = { 0 };

	bytes_append(&joined, line->data, line->size);
	bytes_append(&joined, lines->data, lines->size);
	bytes_done(lines);
	*lines = joined;
}

static void write_openai_line(struct bytes *line, const char *custom_id, const struct chat_reply *reply, bool asked)
{
	bytes_text(line, "{\"id\":\"batch_req_1\",\"custom_id\":");
	bytes_json(line, span_of(custom_id));
	if (asked) {
		bytes_printf(line, ",\"response\":{\"status_code\":%d,\"request_id\":\"r\",\"body\":", reply->status);
		bytes_append(line, reply->out.data + reply->head_size, reply->out.size - reply->head_size);
		bytes_text(line, "},\"error\":null}\n");
	} else {
		bytes_text(line, ",\"response\":null,\"error\":{\"code\":\"batch_expired\",\"message\":"
				 "\"This request could not be executed in time.\"}}\n");
	}
}

static void write_anthropic_line(struct bytes *line, const char *custom_id, const struct chat_reply *reply,
				 bool asked)
{
	bytes_text(line, "{\"custom_id\":");
	bytes_json(line, span_of(custom_id));
	if (asked) {
		bytes_printf(line, ",\"result\":{\"type\":\"%s\",\"%s\":", reply->status == 200 ? "succeeded" : "errored",
			     reply->status == 200 ? "message" : "error");
		bytes_append(line, reply->out.data + reply->head_size, reply->out.size - reply->head_size);
		bytes_text(line, "}}\n");
	} else {
		bytes_text(line, ",\"result\":{\"type\":\"expired\"}}\n");
	}
}

/* As a single call would be, but for what happens to its connection. */
static void make_reply(struct simulator *simulator, const struct chat_wanted *wanted, struct span body,
		       uint64_t number, struct chat_reply *reply)
{
	const struct behaviour *behaviour = &simulator->behaviour;
	struct chat_request chat = { 0 };
	enum fault fault = behaviour_fault(behaviour, number);

	reply->dialect = wanted->dialect;
	if (chat_reply_accepts(reply, behaviour, body, wanted, &chat)) {
		if (behaviour->refused_text && memmem(body.data, body.size, behaviour->refused_text,
						      strlen(behaviour->refused_text)))
			chat_reply_refuse(reply, behaviour, CHAT_REFUSAL_RATE, NULL);
		else
			chat_reply_make(reply, behaviour, &chat, number, fault);
	}
	chat_request_done(&chat);
}

static void write_line(struct bytes *line, bool is_openai, const char *custom_id, const struct chat_reply *reply,
		       bool asked)
{
	if (is_openai)
		write_openai_line(line, custom_id, reply, asked);
	else
		write_anthropic_line(line, custom_id, reply, asked);
}

/* Of items that nobody gave: of another row, and of another end. */
static void forge(struct batch *batch, const char *custom_id, const struct chat_reply *reply)
{
	static const size_t mark_size = 16;
	char *forged = must_have(strdup(custom_id));
	char *digits[] = { forged + mark_size + 1, forged + strlen(forged) - 1 };

	for (size_t i = 0; i < sizeof(digits) / sizeof(*digits); i++) {
		const char was = *digits[i];

		*digits[i] = was == '3' ? '4' : '3';
		write_line(&batch->output, batch->is_openai, forged, reply, true);
		*digits[i] = was;
	}
	free(forged);
}

/* As long as no answer is. */
static void lengthen(struct bytes *line)
{
	static const size_t longer = 9 * 1024 * 1024;
	char *spaces = must_have(malloc(longer));

	memset(spaces, ' ', longer);
	line->size--; /* its newline */
	bytes_append(line, spaces, longer);
	bytes_text(line, "\n");
	free(spaces);
}

static void take_item(struct simulator *simulator, struct batch *batch, const char *custom_id,
		      struct json_object *params)
{
	const char *text = json_object_to_json_string_ext(params, JSON_C_TO_STRING_PLAIN);
	struct span body = span_of(text);
	const struct chat_wanted wanted = { .dialect = batch->is_openai ? &chat_openai : &chat_anthropic };
	struct call_identity identity = { .body_hash = hash_bytes(0, body.data, body.size) };
	struct bytes line = { 0 };
	struct chat_reply reply = { 0 };
	bool asked = simulator->batches.n_items >= simulator->behaviour.batch_expire_first;

	simulator->batches.n_items++;
	batch->n_items++;
	if (asked) {
		counters_call(&simulator->counters, &identity);
		make_reply(simulator, &wanted, body, simulator->counters.calls, &reply);
		counters_status(&simulator->counters, reply.status);
		if (reply.correct)
			counters_answered(&simulator->counters, &identity, 0);
	}
	batch->n_succeeded += asked && reply.status == 200;
	batch->n_errored += asked && reply.status != 200;
	batch->n_expired += !asked;
	write_line(&line, batch->is_openai, custom_id, &reply, asked);
	if (simulator->batches.n_items <= simulator->behaviour.batch_oversize_first)
		lengthen(&line);
	if (simulator->behaviour.batch_strangers && asked)
		forge(batch, custom_id, &reply);
	/* In no order that one may rely on. */
	reverse(batch->is_openai && reply.status != 200 ? &batch->errors : &batch->output, &line);
	bytes_done(&line);
	chat_reply_done(&reply);
}

static void add_strangers(struct batch *batch)
{
	static const char *const strangers[] = {
		"no JSON\n", "[]\n", "{\"custom_id\":\"somebody-1-1-1\",\"result\":{\"type\":\"succeeded\"}}\n",
		"{\"custom_id\":7}\n", "\n",
	};

	for (size_t i = 0; i < sizeof(strangers) / sizeof(*strangers); i++)
		bytes_text(&batch->output, strangers[i]);
}

static struct batch *batch_new(struct simulator *simulator, bool is_openai)
{
	struct batch *batch = must_have(calloc(1, sizeof(*batch)));

	batch->number = ++simulator->batches.n;
	batch->is_openai = is_openai;
	batch->created = time(NULL);
	batch->failed = batch->number <= simulator->behaviour.batch_fail_first;
	batch->next = simulator->batches.all;
	simulator->batches.all = batch;
	return batch;
}

static struct json_object *parse(const char *data, size_t size)
{
	struct json_tokener *tokener = must_have(json_tokener_new());
	struct json_object *json = json_tokener_parse_ex(tokener, data, (int) size);

	json_tokener_free(tokener);
	return json;
}

static void end_items(struct simulator *simulator, struct batch *batch)
{
	batch->expired = batch->n_expired > 0;
	if (simulator->behaviour.batch_strangers)
		add_strangers(batch);
}

static void take_lines(struct simulator *simulator, struct batch *batch, struct span text)
{
	while (text.size > 0 && !batch->failed) {
		const char *end = memchr(text.data, '\n', text.size);
		size_t size = end ? (size_t) (end - text.data) + 1 : text.size;
		struct json_object *line = parse(text.data, size);
		const char *custom_id = chat_text_member(line, "custom_id");

		if (custom_id)
			take_item(simulator, batch, custom_id, chat_member(line, "body"));
		json_object_put(line);
		text.data += size;
		text.size -= size;
	}
	end_items(simulator, batch);
}

static void take_requests(struct simulator *simulator, struct batch *batch, struct json_object *requests)
{
	for (size_t i = 0; i < json_object_array_length(requests); i++) {
		struct json_object *item = json_object_array_get_idx(requests, i);
		const char *custom_id = chat_text_member(item, "custom_id");

		if (custom_id)
			take_item(simulator, batch, custom_id, chat_member(item, "params"));
	}
	end_items(simulator, batch);
}

/* ---- Batches ---- */

static bool has_ended(const struct simulator *simulator, const struct batch *batch)
{
	return batch->cancelled || !simulator->behaviour.batch_gate;
}

static const char *status_of(const struct simulator *simulator, const struct batch *batch)
{
	return batch->failed ? "failed" : !has_ended(simulator, batch) ? "in_progress" :
	       batch->cancelled ? "cancelled" : batch->expired ? "expired" : "completed";
}

static void write_openai_batch(const struct simulator *simulator, const struct batch *batch, struct bytes *out)
{
	bool ended = has_ended(simulator, batch);
	const char *code = simulator->behaviour.batch_failure;

	bytes_printf(out, "{\"id\":\"batch_%" PRId64 "\",\"object\":\"batch\",\"endpoint\":\"/v1/chat/completions\","
		     "\"completion_window\":\"24h\",\"input_file_id\":\"file-%" PRId64 "\",\"created_at\":%lld,\"status\":\"%s\","
		     "\"request_counts\":{\"total\":%" PRId64 ",\"completed\":%" PRId64 ",\"failed\":%" PRId64 "}",
		     batch->number, batch->file_number, (long long) batch->created, status_of(simulator, batch), batch->n_items,
		     ended ? batch->n_succeeded : 0, ended ? batch->n_errored : 0);
	if (batch->failed)
		bytes_printf(out, ",\"errors\":{\"object\":\"list\",\"data\":[{\"code\":\"%s\",\"message\":"
			     "\"The batch is not valid.\",\"param\":null,\"line\":1}]}", code ? code : "invalid_json_line");
	if (ended && !batch->failed && batch->output.size > 0)
		bytes_printf(out, ",\"output_file_id\":\"file-out-%" PRId64 "\"", batch->number);
	if (ended && !batch->failed && batch->errors.size > 0)
		bytes_printf(out, ",\"error_file_id\":\"file-err-%" PRId64 "\"", batch->number);
	if (batch->mark) {
		bytes_text(out, ",\"metadata\":{\"elluminate\":");
		bytes_json(out, span_of(batch->mark));
		bytes_text(out, "}");
	}
	bytes_text(out, "}");
}

static void write_anthropic_batch(const struct simulator *simulator, const struct batch *batch, struct bytes *out)
{
	bool ended = has_ended(simulator, batch);
	char created[40];
	struct tm tm;

	strftime(created, sizeof(created), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&batch->created, &tm));
	bytes_printf(out, "{\"id\":\"msgbatch_%" PRId64 "\",\"type\":\"message_batch\",\"processing_status\":\"%s\","
		     "\"request_counts\":{\"processing\":%" PRId64 ",\"succeeded\":%" PRId64 ",\"errored\":%" PRId64
		     ",\"canceled\":0,\"expired\":%" PRId64 "},\"created_at\":\"%s\",\"results_url\":",
		     batch->number, ended ? "ended" : "in_progress", ended ? 0 : batch->n_items,
		     ended ? batch->n_succeeded : 0, ended ? batch->n_errored : 0, ended ? batch->n_expired : 0, created);
	if (ended)
		bytes_printf(out, "\"http://127.0.0.1:%u/v1/messages/batches/msgbatch_%" PRId64 "/results\"}",
			     http_server_port(simulator->server), batch->number);
	else
		bytes_text(out, "null}");
}

static void write_batch(const struct simulator *simulator, const struct batch *batch, struct bytes *out)
{
	if (batch->is_openai)
		write_openai_batch(simulator, batch, out);
	else
		write_anthropic_batch(simulator, batch, out);
}

static void respond_batch(struct simulator *simulator, struct http_conn *conn, const struct batch *batch)
{
	struct bytes body = { 0 };

	write_batch(simulator, batch, &body);
	respond(conn, 200, "", &body);
}

static void respond_list(struct simulator *simulator, struct http_conn *conn, bool is_openai)
{
	const char *separator = "";
	struct bytes body = { 0 };

	bytes_text(&body, "{\"object\":\"list\",\"data\":[");
	for (const struct batch *batch = simulator->batches.all; batch; batch = batch->next) {
		if (batch->is_openai != is_openai || batch->deleted)
			continue;
		bytes_text(&body, separator);
		write_batch(simulator, batch, &body);
		separator = ",";
	}
	bytes_text(&body, "],\"has_more\":false}");
	respond(conn, 200, "", &body);
}

/* ---- Requests ---- */

static void take_file(struct simulator *simulator, struct http_conn *conn, const struct http_request *request)
{
	static const char head_end[] = "\r\n\r\n";
	struct file *file = must_have(calloc(1, sizeof(*file)));
	const char *end = request->body.data + request->body.size;
	const char *part = memmem(request->body.data, request->body.size, "name=\"file\"", 11);
	const char *text = part ? memmem(part, (size_t) (end - part), head_end, 4) : NULL;
	const char *last = text ? memmem(text, (size_t) (end - text), "\r\n--", 4) : NULL;
	struct bytes body = { 0 };

	if (!last || !memmem(request->body.data, request->body.size, "\r\n\r\nbatch\r\n", 11)) {
		free(file);
		refuse(conn, true, 400, "a file and its purpose are expected", "");
		return;
	}
	text += 4;
	last = text;
	while (memmem(last, (size_t) (end - last), "\r\n--", 4))
		last = (const char *) memmem(last, (size_t) (end - last), "\r\n--", 4) + 1;
	bytes_append(&file->text, text, (size_t) (last - 1 - text));
	file->number = ++simulator->batches.n_files;
	file->next = simulator->batches.files;
	simulator->batches.files = file;
	if (stalls(simulator, "file"))
		return;
	bytes_printf(&body, "{\"id\":\"file-%" PRId64 "\",\"object\":\"file\",\"purpose\":\"batch\"}", file->number);
	respond(conn, 200, "", &body);
}

static void give_openai(struct simulator *simulator, struct batch *batch, struct json_object *json)
{
	const char *id = chat_text_member(json, "input_file_id");
	const char *mark = chat_text_member(chat_member(json, "metadata"), "elluminate");
	const struct file *file = simulator->batches.files;

	batch->mark = mark ? must_have(strdup(mark)) : NULL;
	while (file && id && file->number != strtoll(id + 5, NULL, 10))
		file = file->next;
	batch->file_number = file ? file->number : 0;
	if (file)
		take_lines(simulator, batch, (struct span) { file->text.data, file->text.size });
}

static void take_batch(struct simulator *simulator, struct http_conn *conn, const struct http_request *request,
		       bool is_openai)
{
	struct json_object *json = parse(request->body.data, request->body.size);
	struct json_object *requests = chat_member(json, "requests");
	struct batch *batch;

	if (is_openai ? !chat_text_member(json, "input_file_id") : !json_object_is_type(requests, json_type_array)) {
		json_object_put(json);
		refuse(conn, is_openai, 400, "no such batch can be made", "");
		return;
	}
	if (simulator->behaviour.batch_refuse_finally ||
	    simulator->batches.n_refused < simulator->behaviour.batch_refuse_gives) {
		json_object_put(json);
		simulator->batches.n_refused++;
		refuse(conn, is_openai, simulator->behaviour.batch_refuse_finally ? 400 : 429, "no batch is taken", "");
		return;
	}
	batch = batch_new(simulator, is_openai);
	if (is_openai)
		give_openai(simulator, batch, json);
	else
		take_requests(simulator, batch, requests);
	json_object_put(json);
	if (simulator->behaviour.batch_silent)
		http_conn_reset(conn);
	else if (!stalls(simulator, "give"))
		respond_batch(simulator, conn, batch);
}

static void respond_results(struct simulator *simulator, struct http_conn *conn, const struct bytes *lines)
{
	struct bytes head = { 0 };
	bool whole = ++simulator->batches.n_downloads > simulator->behaviour.batch_truncate_first;
	size_t size = whole ? lines->size : lines->size / 2;

	http_head(&head, 200, "application/binary", "", size);
	http_conn_send(conn, head.data, head.size);
	bytes_done(&head);
	if (stalls(simulator, "results")) {
		http_conn_send(conn, lines->data, size / 2);
		return;
	}
	http_conn_send(conn, lines->data, size);
	http_conn_finish(conn, false);
}

static struct batch *find(struct simulator *simulator, bool is_openai, int64_t number)
{
	struct batch *batch = simulator->batches.all;

	while (batch && (batch->number != number || batch->is_openai != is_openai || batch->deleted))
		batch = batch->next;
	return batch;
}

static void respond_deleted(struct http_conn *conn, const char *id)
{
	struct bytes body = { 0 };

	bytes_text(&body, "{\"id\":");
	bytes_json(&body, span_of(id));
	bytes_text(&body, ",\"object\":\"file\",\"deleted\":true,\"type\":\"message_batch_deleted\"}");
	respond(conn, 200, "", &body);
}

static bool forget_input(struct simulator *simulator, int64_t number)
{
	struct file **at = &simulator->batches.files, *file;

	while (*at && (*at)->number != number)
		at = &(*at)->next;
	file = *at;
	if (!file)
		return false;
	*at = file->next;
	bytes_done(&file->text);
	free(file);
	return true;
}

static bool forget_results(struct simulator *simulator, const char *path)
{
	int64_t number = 0;
	char which[4] = "";
	struct batch *batch;
	struct bytes *lines;

	(void) sscanf(path, "/file-%3[a-z]-%" SCNd64, which, &number);
	batch = find(simulator, true, number);
	lines = batch ? strcmp(which, "err") == 0 ? &batch->errors : &batch->output : NULL;
	if (!lines || lines->size == 0)
		return false;
	bytes_done(lines);
	return true;
}

static void forget_file(struct simulator *simulator, struct http_conn *conn, const char *path)
{
	int64_t number = 0;

	if (simulator->behaviour.batch_refuse_deletes)
		refuse(conn, true, 500, "nothing is deleted", "");
	else if (sscanf(path, "/file-%" SCNd64, &number) == 1 ? forget_input(simulator, number) :
								 forget_results(simulator, path))
		respond_deleted(conn, path + 1);
	else
		refuse(conn, true, 404, "no such file", "");
}

static void forget_batch(struct simulator *simulator, struct http_conn *conn, const char *path, struct batch *batch)
{
	if (simulator->behaviour.batch_refuse_deletes || batch->is_openai || !has_ended(simulator, batch)) {
		refuse(conn, batch->is_openai, 400, "it is not deleted", "");
		return;
	}
	batch->deleted = true;
	respond_deleted(conn, path + 1);
}

static void look(struct simulator *simulator, struct http_conn *conn, const struct batch *batch)
{
	if (stalls(simulator, "look"))
		return;
	if (++simulator->batches.n_looks <= simulator->behaviour.batch_refuse_looks)
		refuse(conn, batch->is_openai, 429, "too many requests", "retry-after-ms: 100\r\n");
	else
		respond_batch(simulator, conn, batch);
}

/* `/ID` and what may stand behind it. */
static void about_batch(struct simulator *simulator, struct http_conn *conn, const char *path, bool is_openai,
			bool deletes)
{
	int64_t number = 0;
	char what[16] = "";
	struct batch *batch;

	(void) sscanf(path, is_openai ? "/batch_%" SCNd64 "/%15s" : "/msgbatch_%" SCNd64 "/%15s", &number, what);
	batch = find(simulator, is_openai, number);
	if (!batch) {
		refuse(conn, is_openai, 404, "no such batch", "");
	} else if (deletes) {
		forget_batch(simulator, conn, path, batch);
	} else if (!what[0]) {
		look(simulator, conn, batch);
	} else if (strcmp(what, "cancel") == 0) {
		batch->cancelled = true;
		simulator->batches.n_cancelled++;
		respond_batch(simulator, conn, batch);
	} else if (strcmp(what, "results") == 0 && !is_openai && has_ended(simulator, batch)) {
		respond_results(simulator, conn, &batch->output);
	} else {
		refuse(conn, is_openai, 404, "nothing is there", "");
	}
}

static void read_file(struct simulator *simulator, struct http_conn *conn, const char *path)
{
	int64_t number = 0;
	char which[4] = "";
	struct batch *batch;

	(void) sscanf(path, "/file-%3[a-z]-%" SCNd64 "/content", which, &number);
	batch = find(simulator, true, number);
	if (!batch || !has_ended(simulator, batch))
		refuse(conn, true, 404, "no such file", "");
	else
		respond_results(simulator, conn, strcmp(which, "err") == 0 ? &batch->errors : &batch->output);
}

/* What stands behind it in the path, or NULL. */
static const char *behind(const char *path, const char *begin)
{
	size_t size = strlen(begin);

	return strncmp(path, begin, size) == 0 && (path[size] == '\0' || path[size] == '/') ? path + size : NULL;
}

bool batches_request(struct simulator *simulator, struct http_conn *conn, const struct http_request *request)
{
	char path[200];
	const char *file, *openai, *anthropic, *rest;
	bool is_openai, posts = span_is(request->method, "POST"), deletes = span_is(request->method, "DELETE");

	snprintf(path, sizeof(path), "%.*s", (int) request->path.size, request->path.data);
	file = behind(path, "/v1/files");
	openai = behind(path, "/v1/batches");
	anthropic = behind(path, "/v1/messages/batches");
	if (!file && !openai && !anthropic)
		return false;
	is_openai = !anthropic;
	rest = is_openai ? openai : anthropic;
	if (!chat_call_authorised(simulator, is_openai ? &chat_openai : &chat_anthropic, request, NULL))
		refuse(conn, is_openai, 401, "Incorrect API key provided.", "");
	else if (anthropic && !http_request_header(request, "anthropic-version").data)
		refuse(conn, false, 400, "anthropic-version: header is required", "");
	else if (file && posts)
		take_file(simulator, conn, request);
	else if (file && deletes)
		forget_file(simulator, conn, file);
	else if (file)
		read_file(simulator, conn, file);
	else if (*rest)
		about_batch(simulator, conn, rest, is_openai, deletes);
	else if (posts)
		take_batch(simulator, conn, request, is_openai);
	else
		respond_list(simulator, conn, is_openai);
	return true;
}

/* Of what was given and what came of it. */
static int64_t count_kept(const struct batches *batches)
{
	int64_t n = 0;

	for (const struct file *file = batches->files; file; file = file->next)
		n++;
	for (const struct batch *batch = batches->all; batch; batch = batch->next)
		n += batch->is_openai ? (batch->output.size > 0) + (batch->errors.size > 0) : !batch->deleted;
	return n;
}

void batches_print(const struct simulator *simulator, struct bytes *out)
{
	const struct batches *batches = &simulator->batches;

	bytes_printf(out, "\"batches\": %" PRId64 ", \"batch_files\": %" PRId64 ", \"batch_looks\": %" PRId64
		     ", \"batch_downloads\": %" PRId64 ", \"batches_cancelled\": %" PRId64 ", \"batch_stalls\": %" PRId64
		     ", \"batch_kept\": %" PRId64 ", ",
		     batches->n, batches->n_files, batches->n_looks, batches->n_downloads, batches->n_cancelled,
		     batches->n_stalls, count_kept(batches));
}

void batches_done(struct simulator *simulator)
{
	struct batch *batch;
	struct file *file;

	while ((batch = simulator->batches.all)) {
		simulator->batches.all = batch->next;
		bytes_done(&batch->output);
		bytes_done(&batch->errors);
		free(batch->mark);
		free(batch);
	}
	while ((file = simulator->batches.files)) {
		simulator->batches.files = file->next;
		bytes_done(&file->text);
		free(file);
	}
}
