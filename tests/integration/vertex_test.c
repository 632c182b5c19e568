/*
 * A service account in the place of a key: its signed assertion is exchanged for access tokens, which are
 * shared, renewed, and had again when one is refused; what is wrong with it is said once, and neither the
 * key nor what it was exchanged for is anywhere but in the secrets folder.
 */
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/harness/suite.h"

static struct daemon *daemon;
static struct wire *wire;
static struct sim *sim;
static char *base; // of the endpoint
static char *private_key; // PEM, escaped for JSON in a text of JSON
static char *private_line; // one of it
static const char *public_file;

static char *read_bio(BIO *bio)
{
	char *data;
	long size = BIO_get_mem_data(bio, &data);
	char *copy = strndup(data, (size_t)size);

	BIO_free(bio);
	return copy;
}

/* Ends of lines as a text in a text of JSON has them. */
static char *escaped_twice(const char *pem)
{
	char *out = calloc(1, 4 * strlen(pem) + 1), *at = out;

	for (; *pem; pem++)
		at = *pem == '\n' ? stpcpy(at, "\\\\n") : (*at = *pem, at + 1);
	return out;
}

static void make_key(void)
{
	EVP_PKEY *key = EVP_RSA_gen(2048);
	BIO *bio = BIO_new(BIO_s_mem());
	char *pem;
	FILE *file;

	ck_assert_ptr_nonnull(key);
	ck_assert_int_eq(PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL), 1);
	pem = read_bio(bio);
	private_key = escaped_twice(pem);
	private_line = strndup(strchr(pem, '\n') + 1, 64);
	free(pem);
	public_file = dir_path(dir_new(), "public.pem");
	file = fopen(public_file, "w");
	ck_assert_ptr_nonnull(file);
	ck_assert_int_eq(PEM_write_PUBKEY(file, key), 1);
	fclose(file);
	EVP_PKEY_free(key);
}

/* The account's key file as a text in JSON. */
static char *account_of(const char *key, const char *token_uri)
{
	return text("{\\n \\\"type\\\": \\\"service_account\\\",\\n \\\"client_email\\\": \\\"me@p.example\\\",\\n"
		    " \\\"private_key_id\\\": \\\"k1\\\",\\n \\\"private_key\\\": \\\"%s\\\",\\n"
		    " \\\"token_uri\\\": \\\"%s\\\"\\n}", key, token_uri);
}

/* The members of a call. `more`: further ones of its config. */
static char *call_of(const char *account, const char *more)
{
	static int n;

	return text("{\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}],\"llm_config\":{\"content\":{"
		    "\"name\":\"account %d\",\"provider\":\"vertex\",\"llm_model_name\":\"m\",\"max_retries\":1,"
		    "\"llm_base_url\":\"%s/v1/projects/p/locations/l\",\"api_key\":\"%s\"%s}}}", n++, base, account,
		    more);
}

static json_object *ask(const char *account, const char *more)
{
	json_object *reply;

	wire_start(wire, "", "Call", "%s", call_of(account, more));
	reply = wire_next(wire);
	ck_assert_msg(at_has(reply, "parameters.task"), "%s", json_object_to_json_string(reply));
	return reply;
}

static void must_succeed(json_object *reply, int64_t attempts)
{
	ck_assert_msg(at_is(reply, "parameters.task.status", "SUCCESS"), "%s",
		      json_object_to_json_string(reply));
	ck_assert_int_eq(at_int(reply, "parameters.task.result.call.attempts"), attempts);
	json_object_put(reply);
}

/* With words that say why, and nothing of what was sent. */
static void must_fail(json_object *reply, const char *code, const char *words)
{
	const char *message;

	ck_assert_msg(at_is(reply, "parameters.task.status", "FAILURE"), "%s",
		      json_object_to_json_string(reply));
	message = at_text(reply, "parameters.task.error.message");
	ck_assert_msg(at_is(reply, "parameters.task.error.code", code), "%s", message);
	ck_assert_msg(strstr(message, words) != NULL, "%s", message);
	ck_assert_msg(!strstr(message, "eyJ"), "an assertion: %s", message);
	json_object_put(reply);
}

static int n_fresh;

/* One that nothing is known of yet. */
static char *account(void)
{
	return account_of(private_key, text("%s/token?%d", base, n_fresh));
}

static void fresh(void)
{
	n_fresh++;
	sim_control(sim, "{'token_seconds':3600,'token_generation':0,'token_status':0,'token_until':0}");
	sim_reset(sim);
}

static void begin(void)
{
	make_key();
	daemon = daemon_start(&(struct daemon_options) {
		.arguments = (const char *[]) { "--log-level=debug", NULL } });
	wire = daemon_connect(daemon);
	sim = sim_start((const char *[]) { text("--account_key=%s", public_file), NULL });
	base = strdup(sim_url(sim));
	*strstr(base, "/v1") = '\0';
}

static void end(void)
{
	wire_close(wire);
	daemon_stop(daemon);
	sim_stop(sim);
}

/* ---- Tokens ---- */

#define CALLS 20

static void calls_share_a_token(void)
{
	struct wire *wires[CALLS];
	json_object *reply;

	fresh();
	for (int i = 0; i < CALLS; i++) {
		wires[i] = daemon_connect(daemon);
		wire_start(wires[i], i % 2 ? "'more':true" : "", "Call", "%s", call_of(account(), ""));
	}
	for (int i = 0; i < CALLS; i++) {
		do {
			reply = wire_next(wires[i]);
		} while (at_has(reply, "continues"));
		ck_assert_msg(at_is(reply, i % 2 ? "parameters.event.status" : "parameters.task.status",
				    "SUCCESS"), "%s", json_object_to_json_string(reply));
		json_object_put(reply);
		wire_close(wires[i]);
	}
	ck_assert_int_eq(sim_stat(sim, "exchanges"), 1);
	/* Another account's is its own. */
	must_succeed(ask(account_of(private_key, text("%s/token?another", base)), ""), 1);
	ck_assert_int_eq(sim_stat(sim, "exchanges"), 2);
}

static void an_expired_one_is_had_again(void)
{
	fresh();
	sim_control(sim, "{'token_seconds':0.001}");
	for (int i = 1; i <= 3; i++) {
		must_succeed(ask(account(), ""), 1);
		ck_assert_int_ge(sim_stat(sim, "exchanges"), i);
	}
}

static void a_refused_one_is_had_again(void)
{
	fresh();
	must_succeed(ask(account(), ""), 1);
	sim_control(sim, "{'token_generation':1}");
	must_succeed(ask(account(), ""), 2);
	ck_assert_int_eq(sim_stat(sim, "exchanges"), 2);
}

/* Nothing was ever answered with it: no call is repeated for that, and the next one has another. */
static void one_that_never_worked_is_dropped(void)
{
	fresh();
	sim_control(sim, "{'account_refused':true}");
	must_fail(ask(account(), ""), "BackendAuthentication", "");
	ck_assert_int_eq(sim_stat(sim, "exchanges"), 1);
	sim_control(sim, "{'account_refused':false}");
	must_succeed(ask(account(), ""), 1);
	ck_assert_int_eq(sim_stat(sim, "exchanges"), 2);
}

/* ---- What goes wrong ---- */

static void what_is_refused_is_the_accounts(void)
{
	char *one;

	fresh();
	one = account();
	make_key(); // whose public half the endpoint does not have
	must_fail(ask(account(), ""), "BackendAuthentication", "Invalid JWT Signature.");
	ck_assert_int_eq(sim_stat(sim, "exchanges"), 1);
	ck_assert_int_eq(sim_stat(sim, "calls"), 0);
	must_fail(ask(account_of("-----BEGIN PRIVATE KEY-----\\\\nAAAA\\\\n-----END PRIVATE KEY-----\\\\n",
				 text("%s/token", base)), ""), "BackendAuthentication", "no RSA key");
	ck_assert_int_eq(sim_stat(sim, "exchanges"), 1);
	must_fail(ask(account_of(private_key, text("%s/nothing", base)), ""), "BackendRejected", "404 from");
	/* One that nobody can mend is tried anew by the next call. */
	must_succeed(ask(one, ""), 1);
}

/* Words on what could not be reached may name what is a secret elsewhere. */
static void no_words_name_a_secret(void)
{
	fresh();
	must_fail(ask(account_of(private_key, "http://127.0.0.1:1/secret"),
		      ",\"extra_headers\":{\"X-Secret\":\"127.0.0.1\"}"), "BackendUnavailable",
		  "no access token: Failed to connect to ********* port 1");
}

static void what_may_pass_is_tried_again(void)
{
	fresh();
	sim_control(sim, "{'token_status':500,'token_until':1}");
	must_succeed(ask(account(), ""), 2);
	sim_reset(sim);
	sim_control(sim, "{'token_status':500,'token_until':0}");
	must_fail(ask(account_of(private_key, text("%s/token?more2", base)), ""), "BackendUnavailable", "500 from");
	ck_assert_int_eq(sim_stat(sim, "exchanges"), 2);
	must_fail(ask(account_of(private_key, "http://127.0.0.1:1/token"), ""), "BackendUnavailable",
		  "no access token");
	/* A pause that it asks for is waited out. */
	sim_reset(sim);
	sim_control(sim, "{'token_status':429,'token_until':1}");
	must_succeed(ask(account_of(private_key, text("%s/token?more3", base)), ""), 1);
	sim_control(sim, "{'token_status':1,'token_until':0}");
	must_fail(ask(account_of(private_key, text("%s/token?more4", base)), ",\"timeout_seconds\":0.2"),
		  "BackendUnavailable", "no access token");
}

static void what_waits_can_be_cancelled(void)
{
	struct wire *other;
	json_object *reply;

	fresh();
	other = daemon_connect(daemon);
	sim_control(sim, "{'token_status':1}");
	wire_start(other, "'more':true", "Call", "%s", call_of(account(), ""));
	reply = wire_next(other);
	sim_await(sim, "exchanges", 1);
	wire_start(wire, "", "CancelTask", "{\"id\":%lld}",
		   (long long)at_int(reply, "parameters.event.task_id"));
	json_object_put(wire_next(wire));
	while (at_has(reply, "continues")) {
		json_object_put(reply);
		reply = wire_next(other);
	}
	ck_assert_str_eq(at_text(reply, "parameters.event.status"), "REVOKED");
	json_object_put(reply);
	wire_close(other);
}

static void what_is_no_account_is_refused(void)
{
	struct {
		const char *key, *expected;
	} bad[] = {
		{ "{", "JSON" },
		{ "{\\\"type\\\":\\\"authorized_user\\\"}", "service_account" },
		{ "{\\\"type\\\":\\\"service_account\\\"}", "client_email" },
		{ account_of("k", "file:///etc/passwd"), "token_uri" },
		{ account_of("k", "http://me:word@127.0.0.1/"), "token_uri" },
		{ account_of("k", "http:///token"), "token_uri" },
	};

	fresh();
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		json_object *reply;

		wire_start(wire, "", "Call", "%s", call_of(bad[i].key, ""));
		reply = wire_next(wire);
		ck_assert_msg(at_is(reply, "error", "org.varlink.service.InvalidParameter"), "%s",
			      json_object_to_json_string(reply));
		ck_assert_str_eq(at_text(reply, "parameters.parameter"), "llm_config.content.api_key");
		ck_assert_msg(strstr(at_text(reply, "parameters.expected"), bad[i].expected) != NULL, "%s",
			      json_object_to_json_string(reply));
		json_object_put(reply);
	}
}

/* ---- Secrets ---- */

static unsigned n_found;

static bool look(const char *path, void *userdata)
{
	size_t size;
	char *content = file_read(path, &size);

	if (content && memmem(content, size, userdata, strlen(userdata))) {
		ck_assert_msg(strstr(path, "/secrets/") != NULL, "%s holds %s", path, (char *)userdata);
		n_found++;
	}
	free(content);
	return true;
}

static void it_stays_secret(void)
{
	static const char token[] = "ya29.", assertion[] = "eyJhbGciOiJSUzI1NiIs";
	json_object *reply;

	fresh();
	wire_start(wire, "", "CreateLLMConfig", "%s", text(
		"{\"llm_config\":{\"name\":\"kept\",\"provider\":\"vertex\",\"llm_model_name\":\"m\","
		"\"llm_base_url\":\"%s/v1/projects/p/locations/l\",\"api_key\":\"%s\"}}", base, account()));
	reply = wire_next(wire);
	ck_assert(at_bool(reply, "parameters.llm_config.has_api_key"));
	ck_assert(!strstr(json_object_to_json_string(reply), private_line));
	json_object_put(reply);
	/* The token comes back in the answer. */
	sim_control(sim, "{'fixed_answer':'so ya29.0.1 it is'}");
	wire_start(wire, "", "Call", "{\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}],"
		   "\"llm_config\":{\"ref\":{\"name\":\"kept\"}}}");
	reply = wire_next(wire);
	ck_assert_str_eq(at_text(reply, "parameters.task.status"), "SUCCESS");
	json_object_put(reply);
	must_fail(ask(account_of(private_key, text("%s/nothing", base)), ""), "BackendRejected", "404 from");
	sim_control(sim, "{'token_generation':1,'token_status':400}");
	must_fail(ask(account(), ""), "BackendAuthentication", "Not now.");
	ck_assert(!strstr(daemon_log(daemon), private_line));
	ck_assert(!strstr(daemon_log(daemon), token));
	ck_assert(!strstr(daemon_log(daemon), assertion));
	dir_each_file(daemon_state_dir(daemon), look, private_line);
	ck_assert_uint_gt(n_found, 0);
	n_found = 0;
	dir_each_file(daemon_state_dir(daemon), look, (char *)assertion);
	ck_assert_uint_eq(n_found, 0);
}

START_TEST(tokens)
{
	begin();
	calls_share_a_token();
	an_expired_one_is_had_again();
	a_refused_one_is_had_again();
	one_that_never_worked_is_dropped();
	what_waits_can_be_cancelled();
	it_stays_secret();
	end();
}
END_TEST

START_TEST(troubles)
{
	begin();
	what_is_no_account_is_refused();
	no_words_name_a_secret();
	what_may_pass_is_tried_again();
	what_is_refused_is_the_accounts();
	end();
}
END_TEST

int main(void)
{
	return RUN_SUITE(tokens, troubles);
}
