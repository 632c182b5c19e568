/* $ELLUMINATE_DEBUG shows what goes over the wire, and nothing that nobody may see. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/elluminate.h"
#include "tests/unit/client/client_standin.h"
#include "tests/unit/suite.h"

static int refuse(struct standin *standin, int fd, const char *call)
{
	(void) standin;
	ck_assert(strstr(call, "sk-12345"));
	standin_send(fd, "{\"error\":\"org.elluminate.QueueFull\"}");
	return 0;
}

START_TEST(frames_without_secrets)
{
	struct ellu_create_llm_config_request request = ELLU_RECORD(struct ellu_create_llm_config_request);
	const struct ellu_entry header = { "X-Key", "sk-12345" };
	char said[4096] = "";
	struct standin standin;
	struct ellu *handle;
	FILE *file;

	request.llm_config = ELLU_NEW(llm_config, .name = "n", .provider = ELLU_PROVIDER_OPENAI,
				      .llm_model_name = "m", .api_key = "sk-12345",
				      .extra_headers = &header, .n_extra_headers = 1);
	ck_assert_int_eq(setenv("ELLUMINATE_DEBUG", "1", 1), 0);
	standin_start(&standin, refuse);
	file = freopen("client_trace.stderr", "w+", stderr);
	ck_assert_ptr_nonnull(file);
	ck_assert_int_eq(ellu_open(standin.path, ELLU_BLOCKING, &handle), 0);
	ck_assert_int_eq(ellu_create_llm_config(handle, &request, NULL, NULL), ELLU_E_QUEUE_FULL);
	ellu_close(handle);
	standin_stop(&standin);
	rewind(file);
	ck_assert_uint_gt(fread(said, 1, sizeof(said) - 1, file), 0);
	remove("client_trace.stderr");
	ck_assert(strstr(said, " > {\"method\":\"org.elluminate.CreateLLMConfig\""));
	ck_assert(strstr(said, "\"api_key\":\"(redacted)\",") && strstr(said, "\"name\":\"n\""));
	ck_assert(strstr(said, " < {\"error\":\"org.elluminate.QueueFull\"}\n"));
	ck_assert_ptr_null(strstr(said, "sk-12345"));
}
END_TEST

int main(void)
{
	return RUN_TESTS(frames_without_secrets);
}
