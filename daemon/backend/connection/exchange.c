#include "daemon/backend/connection/exchange.h"

#include <string.h>
#include <strings.h>

#include "daemon/backend/connection/descriptors.h"
#include "daemon/backend/dialect/answer.h"
#include "daemon/base/clock.h"
#include "daemon/base/loop.h"

#define CONNECTIONS_MAX BACKEND_CALLS_MAX
#define REFUSAL_BYTES REFUSAL_BODY_MAX // of an error, where the body is taken piece by piece

void exchanges_init(struct exchanges *exchanges, struct ground *ground, struct descriptors *descriptors)
{
	exchanges->ground = ground;
	exchanges->descriptors = descriptors;
	TAILQ_INIT(&exchanges->all);
}

void exchanges_done(struct exchanges *exchanges)
{
	exchanges->multi = multi_free(exchanges->multi);
}

const char *exchange_header(const struct exchange *exchange, const char *name)
{
	struct curl_header *header;

	return curl_easy_header(exchange->easy, name, 0, CURLH_HEADER, -1, &header) == CURLHE_OK ?
		       header->value : NULL;
}

static int status_of(const struct exchange *exchange)
{
	long status = 0;

	(void)curl_easy_getinfo(exchange->easy, CURLINFO_RESPONSE_CODE, &status);
	return (int)status;
}

/* Nobody asked for that. */
static bool is_compressed(const struct exchange *exchange)
{
	const char *encoding = exchange_header(exchange, "Content-Encoding");

	return encoding && *encoding && strcasecmp(encoding, "identity") != 0;
}

static size_t keep(struct exchange *exchange, const char *data, size_t size, size_t max)
{
	if (exchange->reply.size + size > max) {
		exchange->too_large = true;
		return 0;
	}
	buffer_append(&exchange->reply, data, size);
	return exchange->reply.failed ? 0 : size;
}

static size_t on_data(char *data, size_t size, size_t n, void *userdata)
{
	struct exchange *exchange = userdata;

	size *= n;
	exchange->compressed = is_compressed(exchange);
	if (exchange->compressed)
		return 0;
	if (!exchange->take)
		return keep(exchange, data, size, exchange->reply_max);
	if (status_of(exchange) != 200)
		return keep(exchange, data, size, REFUSAL_BYTES);
	switch (exchange->take(exchange, data, size)) {
	case EXCHANGE_PAUSE:
		return CURL_WRITEFUNC_PAUSE;
	case EXCHANGE_ENOUGH:
		exchange->stopped = true;
		return 0;
	default:
		return size;
	}
}

static int on_connected(void *userdata, char *address, char *local, int port, int local_port)
{
	struct exchange *exchange = userdata;

	(void)address;
	(void)local;
	(void)port;
	(void)local_port;
	exchange->connected = true;
	return CURL_PREREQFUNC_OK;
}

#define SET(option, value) (curl_easy_setopt(exchange->easy, (option), (value)) == CURLE_OK)

static bool set_time(struct exchange *exchange)
{
	long seconds = (long)((exchange->timeout_usec + USEC_PER_SEC - 1) / USEC_PER_SEC);

	if (exchange->take) // however long all of it takes
		return SET(CURLOPT_LOW_SPEED_LIMIT, 1L) && SET(CURLOPT_LOW_SPEED_TIME, seconds);
	return SET(CURLOPT_TIMEOUT_MS, (long)((exchange->timeout_usec + 999) / 1000));
}

static bool set_request(struct exchange *exchange)
{
	if (exchange->url ? !SET(CURLOPT_CURLU, exchange->url) : !SET(CURLOPT_URL, exchange->text_url))
		return false;
	if (exchange->body && (!SET(CURLOPT_POST, 1L) ||
			       !SET(CURLOPT_POSTFIELDS, exchange->body->data ? exchange->body->data : "") ||
			       !SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)exchange->body->size)))
		return false;
	if (exchange->deletes && !SET(CURLOPT_CUSTOMREQUEST, "DELETE"))
		return false;
	return SET(CURLOPT_HTTPHEADER, exchange->headers) && set_time(exchange);
}

/* As its target's endpoint is reached. */
static bool set_path(struct exchange *exchange)
{
	const struct llm_target *target = exchange->target;

	return SET(CURLOPT_PRIVATE, exchange) && SET(CURLOPT_ERRORBUFFER, exchange->error) &&
	       SET(CURLOPT_WRITEFUNCTION, on_data) && SET(CURLOPT_WRITEDATA, exchange) &&
	       SET(CURLOPT_PREREQFUNCTION, on_connected) && SET(CURLOPT_PREREQDATA, exchange) &&
	       SET(CURLOPT_NOSIGNAL, 1L) && SET(CURLOPT_QUICK_EXIT, 1L) && SET(CURLOPT_FOLLOWLOCATION, 0L) &&
	       SET(CURLOPT_PROTOCOLS_STR, "http,https") && SET(CURLOPT_NOPROXY, "") &&
	       SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L) && SET(CURLOPT_FORBID_REUSE, 1L) &&
	       SET(CURLOPT_PROXY, target->proxy ? target->proxy : "") &&
	       (!target->ca_file || SET(CURLOPT_CAINFO_BLOB, &target->ca)) &&
	       SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS) &&
	       SET(CURLOPT_CONNECTTIMEOUT_MS, (long)((target->connect_usec + 999) / 1000));
}

bool exchange_start(struct exchanges *exchanges, struct exchange *exchange)
{
	if (!exchanges->multi && multi_new(loop_base(exchanges->ground->loop), CONNECTIONS_MAX,
					   exchanges->descriptors, &exchanges->multi) < 0)
		return false;
	exchange->sockets = (struct multi_sockets){ .multi = exchanges->multi };
	exchange->easy = curl_easy_init();
	if (!exchange->easy || !multi_prepare(&exchange->sockets, exchanges->multi, exchange->easy) ||
	    !set_path(exchange) || !set_request(exchange) || multi_add(exchanges->multi, exchange->easy) < 0) {
		curl_easy_cleanup(exchange->easy);
		exchange->easy = NULL;
		return false;
	}
	TAILQ_INSERT_TAIL(&exchanges->all, exchange, of_all);
	return true;
}

void exchange_go_on(struct exchange *exchange)
{
	(void)curl_easy_pause(exchange->easy, CURLPAUSE_CONT);
}

void exchange_end(struct exchanges *exchanges, struct exchange *exchange)
{
	struct exchange *each;

	TAILQ_FOREACH(each, &exchanges->all, of_all)
		if (each == exchange)
			break;
	if (each) {
		TAILQ_REMOVE(&exchanges->all, exchange, of_all);
		multi_remove(exchanges->multi, exchange->easy);
	}
	if (exchange->easy)
		curl_easy_cleanup(exchange->easy);
	exchange->easy = NULL;
	/* It may hold what is secret. */
	if (exchange->reply.data)
		explicit_bzero(exchange->reply.data, exchange->reply.capacity);
	buffer_done(&exchange->reply);
}

/* ---- The turn ---- */

static void finish(struct exchanges *exchanges, struct exchange *exchange, const char *trouble)
{
	TAILQ_REMOVE(&exchanges->all, exchange, of_all);
	exchange->status = status_of(exchange);
	exchange->trouble = exchange->stopped ? NULL :
			    exchange->too_large ? "its answer is too large" :
			    exchange->compressed ? "its answer is compressed, which was not asked for" : trouble;
	exchange->no_descriptors = exchange->trouble && !exchange->connected &&
				   (exchange->sockets.refused || descriptors_are_out());
	exchange->done(exchange);
}

static void on_done(void *userdata, CURL *easy, CURLcode result)
{
	struct exchange *exchange = NULL;

	(void)curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&exchange);
	finish(userdata, exchange, result == CURLE_OK ? NULL :
				   result == MULTI_HEADER_TOO_LONG && status_of(exchange) > 0 ?
					   "a header of its answer is too long" :
				   exchange->error[0] ? exchange->error : curl_easy_strerror(result));
}

int64_t exchanges_due_usec(const struct exchanges *exchanges)
{
	const struct multi *multi = exchanges->multi;

	return multi ? multi_due_usec(multi) : DEADLINE_NEVER;
}

void exchanges_kick(struct exchanges *exchanges)
{
	struct multi *multi = exchanges->multi;

	if (multi && multi_due_usec(multi) <= exchanges->ground->now_usec)
		multi_kick(multi);
}

static void repair(struct exchanges *exchanges)
{
	struct exchange_list broken = TAILQ_HEAD_INITIALIZER(broken);
	struct exchange *exchange;
	struct multi *multi = exchanges->multi;

	TAILQ_CONCAT(&broken, &exchanges->all, of_all);
	TAILQ_FOREACH(exchange, &broken, of_all)
		multi_remove(multi, exchange->easy);
	exchanges->multi = NULL; // whoever begins another one makes it
	while ((exchange = TAILQ_FIRST(&broken))) {
		TAILQ_REMOVE(&broken, exchange, of_all);
		TAILQ_INSERT_TAIL(&exchanges->all, exchange, of_all);
		finish(exchanges, exchange, "its connection had to be closed");
	}
	multi_free(multi);
}

void exchanges_collect(struct exchanges *exchanges)
{
	struct multi *multi = exchanges->multi;

	if (!multi)
		return;
	while (multi_drain(multi, DEADLINE_NEVER, on_done, exchanges))
		;
	if (multi_is_broken(multi))
		repair(exchanges);
}
