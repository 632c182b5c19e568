#include "tests/sim/batches.h"

#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemon/base/hash.h"
#include "tests/sim/batch_items.h"
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
		batch_take_lines(simulator, batch, (struct span) { file->text.data, file->text.size });
}

static void take_batch(struct simulator *simulator, struct http_conn *conn, const struct http_request *request,
		       bool is_openai)
{
	struct json_object *json = batch_parse(request->body.data, request->body.size);
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
		batch_take_requests(simulator, batch, requests);
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
