/* Dialects: the bodies of requests. */
#include <stdlib.h>
#include <string.h>

#include "daemon/backend/dialect/request.h"
#include "tests/unit/backend/minimal.h"
#include "tests/unit/suite.h"

static void expect_body(const struct llm_call *call, const struct request_form *form,
			const char *expected)
{
	struct buffer body = { 0 };

	call->target->dialect->request(call, form, &body);
	ck_assert(!body.failed);
	buffer_append(&body, "", 1);
	ck_assert_str_eq(body.data, expected);
	buffer_done(&body);
}

static void expect_within(const struct llm_call *call, const struct request_form *form,
			  const char *expected)
{
	struct buffer body = { 0 };

	call->target->dialect->request(call, form, &body);
	ck_assert(!body.failed);
	buffer_append(&body, "", 1);
	ck_assert_msg(strstr(body.data, expected), "no %s in %s", expected, body.data);
	buffer_done(&body);
}

START_TEST(requests)
{
	static const struct ellu_message question = { sizeof(question), .role = "user",
						      .content = "a \"b\"\n\x01 \xc3\xa9" };
	static const struct ellu_message *const messages[] = { &question };
	static const struct ellu_tool tool = { sizeof(tool), .name = "t",
					       .parameters = "{\"type\":\"object\"}" };
	static const struct ellu_tool *const tools[] = { &tool };
	static const char *const stop[] = { "x", "y" };
	const double temperature = 0.1, top_p = 1;
	const int64_t max_tokens = 9, seed = -4;
	struct ellu_generation_params params = ELLU_RECORD(struct ellu_generation_params);
	struct request_form form = { .structured_output = STRUCTURED_JSON_SCHEMA };
	struct ellu_llm_config config = minimal();
	struct llm_call call = { .messages = messages, .n_messages = 1 };

	config.temperature = &temperature;
	config.max_tokens = &max_tokens;
	config.system_message = "S";
	config.extra_body = "{\"model\": \"other\", \"provider\": {\"order\": [1, null]}}";
	call.target = make(&config);
#define QUESTION "{\"role\":\"user\",\"content\":\"a \\\"b\\\"\\n\\u0001 \xc3\xa9\"}"
#define EXTRA ",\"model\":\"other\",\"provider\":{\"order\":[1,null]}}"
	call.plain = true;
	expect_body(&call, &form,
		    "{\"messages\":[" QUESTION "],\"max_tokens\":9,\"temperature\":0.1" EXTRA);
	call.plain = false;
	form.max_completion_tokens = true;
	params.reasoning_effort = "low";
	params.top_p = &top_p;
	params.seed = &seed;
	params.stop = stop;
	params.n_stop = 2;
	call.params = &params;
	call.tools = tools;
	call.n_tools = 1;
	call.tool_choice = "t";
	call.response_format = "{}";
	expect_body(&call, &form,
		    "{\"messages\":[{\"role\":\"system\",\"content\":\"S\"}," QUESTION
		    "],\"max_completion_tokens\":9,\"top_p\":1,\"seed\":-4,\"stop\":[\"x\",\"y\"],"
		    "\"reasoning_effort\":\"low\",\"tools\":[{\"type\":\"function\",\"function\":"
		    "{\"name\":\"t\",\"parameters\":{\"type\":\"object\"}}}],\"tool_choice\":"
		    "{\"type\":\"function\",\"function\":{\"name\":\"t\"}},\"response_format\":"
		    "{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"answer\",\"schema\":{}}}"
		    EXTRA);
	llm_target_unref(call.target);
}
END_TEST

/* ---- Images and documents ---- */

static const struct ellu_media png = { sizeof(png), .data = "iVBORw0KGgo=" };
static const struct ellu_media photo = { sizeof(photo), .url = "https://h/p.jpg" };
static const struct ellu_media pdf = { sizeof(pdf), .data = "JVBERi0x", .name = "a \"b\"" };
static const struct ellu_media csv = { sizeof(csv), .data = "YSxi", .media_type = "text/csv" };
static const struct ellu_media paper = { sizeof(paper), .url = "https://h/p.pdf", .name = "p" };

static struct ellu_message showing(const struct ellu_message_part *const *parts, size_t n)
{
	struct ellu_message message = ELLU_RECORD(struct ellu_message);

	message.role = "user";
	message.parts = parts;
	message.n_parts = n;
	return message;
}

static struct llm_target *target_of(const char *provider)
{
	struct ellu_llm_config config = minimal();

	config.provider = provider;
	if (strcmp(provider, "simulated") == 0)
		config.llm_base_url = NULL;
	return make(&config);
}

/* As each that takes it wants it; who does not take it says which. */
START_TEST(parts_of_messages)
{
	static const struct ellu_message_part text = { sizeof(text), .text = "\"?\"" };
	static const struct {
		struct ellu_message_part part;
		const char *openai, *mistral, *anthropic; // NULL: it does not take it
		const char *field;
	} cases[] = {
		{ { .image = &png }, "{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/png;base64,iVBORw0KGgo=\"}}",
		  "{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/png;base64,iVBORw0KGgo=\"}}",
		  "{\"type\":\"image\",\"source\":{\"type\":\"base64\",\"media_type\":\"image/png\",\"data\":\"iVBORw0KGgo=\"}}",
		  "image.data" },
		{ { .image = &photo }, "{\"type\":\"image_url\",\"image_url\":{\"url\":\"https://h/p.jpg\"}}",
		  "{\"type\":\"image_url\",\"image_url\":{\"url\":\"https://h/p.jpg\"}}",
		  "{\"type\":\"image\",\"source\":{\"type\":\"url\",\"url\":\"https://h/p.jpg\"}}", "image.url" },
		{ { .document = &pdf },
		  "{\"type\":\"file\",\"file\":{\"file_data\":\"data:application/pdf;base64,JVBERi0x\",\"filename\":\"a \\\"b\\\"\"}}", NULL,
		  "{\"type\":\"document\",\"source\":{\"type\":\"base64\",\"media_type\":\"application/pdf\",\"data\":\"JVBERi0x\"},"
		  "\"title\":\"a \\\"b\\\"\"}", "document.data" },
		{ { .document = &csv },
		  "{\"type\":\"file\",\"file\":{\"file_data\":\"data:text/csv;base64,YSxi\",\"filename\":\"document\"}}", NULL, NULL,
		  "document.media_type" },
		{ { .document = &paper }, NULL,
		  "{\"type\":\"document_url\",\"document_url\":\"https://h/p.pdf\",\"document_name\":\"p\"}",
		  "{\"type\":\"document\",\"source\":{\"type\":\"url\",\"url\":\"https://h/p.pdf\"},\"title\":\"p\"}", "document.url" },
	};
	static const char *const providers[] = { "openai", "mistral", "anthropic" };
	const struct request_form form = { .structured_output = STRUCTURED_JSON_SCHEMA };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct ellu_message_part *const parts[] = { &text, &cases[i].part };
		const struct ellu_message question = showing(parts, 2);
		const struct ellu_message *const messages[] = { &question };
		const char *const wanted[] = { cases[i].openai, cases[i].mistral, cases[i].anthropic };
		char content[512], field[64];

		for (size_t k = 0; k < 3; k++) {
			struct llm_call call = { .messages = messages, .n_messages = 1,
						 .target = target_of(providers[k]) };
			struct fault fault = { 0 };
			int r = llm_target_check(call.target, messages, 1, &fault);

			if (wanted[k]) {
				ck_assert_msg(r == 0, "%s", fault.message);
				snprintf(content, sizeof(content), "{\"role\":\"user\",\"content\":["
					 "{\"type\":\"text\",\"text\":\"\\\"?\\\"\"},%s]}", wanted[k]);
				expect_within(&call, &form, content);
			} else {
				ck_assert_int_eq(r, ELLU_E_UNSUPPORTED);
				snprintf(field, sizeof(field), "messages[0].parts[1].%s",
					 k == 1 ? "document.data" : cases[i].field);
				ck_assert_str_eq(fault.field, field);
				ck_assert_ptr_nonnull(strstr(fault.message, providers[k]));
			}
			llm_target_unref(call.target);
		}
	}
}
END_TEST

/* Google's says type and bytes apart, and takes all of them. */
START_TEST(parts_for_gemini)
{
	static const struct ellu_message_part shown[] = { { .text = "?" }, { .image = &png },
							  { .document = &paper } };
	static const struct ellu_message_part *const parts[] = { &shown[0], &shown[1], &shown[2] };
	const struct ellu_message question = showing(parts, 3);
	const struct ellu_message *const messages[] = { &question };
	const struct request_form form = { .structured_output = STRUCTURED_JSON_SCHEMA };
	struct llm_call call = { .messages = messages, .n_messages = 1, .target = target_of("gemini") };
	struct fault fault = { 0 };

	ck_assert_int_eq(llm_target_check(call.target, messages, 1, &fault), 0);
	expect_within(&call, &form,
		      "\"parts\":[{\"text\":\"?\"},{\"inlineData\":{\"data\":\"iVBORw0KGgo=\",\"mimeType\":\"image/png\"}},"
		      "{\"fileData\":{\"fileUri\":\"https://h/p.pdf\"}}]");
	llm_target_unref(call.target);
}
END_TEST

/* Whoever is asked. */
START_TEST(parts_that_are_wrong)
{
	static const struct {
		struct ellu_media media;
		const char *field, *says;
	} cases[] = {
		{ { .data = "no base64!" }, "data", "base64" },
		{ { .data = "QQ" }, "data", "base64" },
		{ { .data = "" }, "data", "base64" },
		{ { .data = "QUJD" }, "media_type", "image/png" },
		{ { .data = "JVBERi0x" }, "media_type", "image/png" },
		{ { .data = "QUJD", .media_type = "image/p\"g" }, "media_type", "image/png" },
		{ { .url = "data:image/png;base64,QUJD" }, "url", "`data`" },
	};
	static const char *const providers[] = { "openai", "anthropic", "simulated" };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct ellu_message_part part = { .image = &cases[i].media };
		const struct ellu_message_part *const parts[] = { &part };
		const struct ellu_message question = showing(parts, 1);
		const struct ellu_message *const messages[] = { &question };

		for (size_t k = 0; k < 3; k++) {
			struct llm_target *target = target_of(providers[k]);
			struct fault fault = { 0 };
			char field[64];

			ck_assert_int_eq(llm_target_check(target, messages, 1, &fault), ELLU_E_INVALID_PARAMETER);
			snprintf(field, sizeof(field), "messages[0].parts[0].image.%s", cases[i].field);
			ck_assert_str_eq(fault.field, field);
			ck_assert_ptr_nonnull(strstr(fault.message, cases[i].says));
			llm_target_unref(target);
		}
	}
}
END_TEST

/* The same question as Anthropic's API wants it. */
START_TEST(anthropic_requests)
{
	static const struct ellu_message system = { sizeof(system), .role = "system",
						    .content = "Also this." };
	static const struct ellu_message question = { sizeof(question), .role = "user",
						      .content = "a \"b\"" };
	static const struct ellu_tool_call made = { sizeof(made), .id = "i", .name = "t",
						    .arguments = "{\"x\": 1}" };
	static const struct ellu_tool_call odd = { sizeof(odd), .id = "j", .name = "t",
						   .arguments = "{'x':1} or" };
	static const struct ellu_tool_call *const calls[] = { &made, &odd };
	static const struct ellu_message answer = { sizeof(answer), .role = "assistant",
						    .content = "", .tool_calls = calls,
						    .n_tool_calls = 2 };
	static const struct ellu_message_part seven = { sizeof(seven), .text = "7" };
	static const struct ellu_message_part *const parts[] = { &seven };
	static const struct ellu_message result = { sizeof(result), .role = "tool",
						    .tool_call_id = "i", .parts = parts,
						    .n_parts = 1 };
	static const struct ellu_message *const messages[] = { &system, &question, &answer,
							       &result };
	static const struct ellu_tool tool = { sizeof(tool), .name = "t",
					       .parameters = "{\"type\":\"object\"}" };
	static const struct ellu_tool *const tools[] = { &tool };
	static const char *const stop[] = { "x" };
	const int64_t max_tokens = 9, seed = 5, top_k = 3;
	struct ellu_generation_params params = ELLU_RECORD(struct ellu_generation_params);
	struct request_form form = { .structured_output = STRUCTURED_JSON_SCHEMA };
	struct ellu_llm_config config = minimal();
	struct llm_call call = { .messages = messages, .n_messages = 4 };

	config.provider = "anthropic";
	config.llm_base_url = "http://host:81/";
	config.system_message = "S";
	config.top_k = &top_k;
	config.extra_body = "{\"thinking\": {\"type\": \"disabled\"}, \"stop_sequences\": []}";
	call.target = make(&config);
	ck_assert_str_eq(call.target->urls[URL_ANSWER].text, "http://host:81/v1/messages");
	call.plain = true;
#define ANTHROPIC_MESSAGES                                                                         \
	"\"messages\":[{\"role\":\"user\",\"content\":\"a \\\"b\\\"\"},{\"role\":\"assistant\","         \
	"\"content\":[{\"type\":\"tool_use\",\"id\":\"i\",\"name\":\"t\",\"input\":{\"x\":1}},"          \
	"{\"type\":\"tool_use\",\"id\":\"j\",\"name\":\"t\",\"input\":{\"arguments\":\"{'x':1} or\"}}]},"  \
	"{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\",\"tool_use_id\":\"i\","             \
	"\"content\":[{\"type\":\"text\",\"text\":\"7\"}]}]}]"
#define ANTHROPIC_EXTRA ",\"thinking\":{\"type\":\"disabled\"},\"stop_sequences\":[]}"
	expect_body(&call, &form,
		    "{\"model\":\"m\",\"system\":[{\"type\":\"text\",\"text\":\"Also this.\"}],"
		    ANTHROPIC_MESSAGES ",\"max_tokens\":4096,\"top_k\":3" ANTHROPIC_EXTRA);
	call.plain = false;
	params.max_tokens = &max_tokens;
	params.seed = &seed;
	params.stop = stop;
	params.n_stop = 1;
	call.params = &params;
	call.tools = tools;
	call.n_tools = 1;
	call.tool_choice = "required";
	call.response_format = "{}";
	expect_body(&call, &form,
		    "{\"model\":\"m\",\"system\":[{\"type\":\"text\",\"text\":\"S\"},"
		    "{\"type\":\"text\",\"text\":\"Also this.\"}]," ANTHROPIC_MESSAGES
		    ",\"max_tokens\":9,\"top_k\":3,\"tools\":[{\"name\":\"t\","
		    "\"input_schema\":{\"type\":\"object\"}}],\"tool_choice\":{\"type\":\"any\"},"
		    "\"output_config\":{\"format\":{\"type\":\"json_schema\",\"schema\":{}}}"
		    ANTHROPIC_EXTRA);
	llm_target_unref(call.target);
}
END_TEST

/* One thread writes the requests of all users, and parses no more for one of them. */
START_TEST(many_arguments)
{
	char *text = malloc(1000000);
	struct ellu_tool_call made = { sizeof(made), .id = "i", .name = "t", .arguments = text };
	const struct ellu_tool_call *const calls[] = { &made };
	struct ellu_message answer = { sizeof(answer), .role = "assistant", .content = "",
				       .tool_calls = calls, .n_tool_calls = 1 };
	const struct ellu_message *const messages[] = { &answer };
	struct llm_call call = { .messages = messages, .n_messages = 1 };
	struct request_form form = { .structured_output = STRUCTURED_JSON_SCHEMA };
	struct ellu_llm_config config = minimal();
	const size_t sizes[] = { 10000, 900000 };

	config.provider = "anthropic";
	config.llm_base_url = "http://host:81/";
	call.target = make(&config);
	for (size_t i = 0; i < 2; i++) {
		struct buffer body = { 0 };

		for (size_t k = 0; k < sizes[i]; k += 2)
			memcpy(text + k, "1,", 2);
		memcpy(text, "{\"a\":[", 6);
		strcpy(text + sizes[i] - 1, "]}");
		call.target->dialect->request(&call, &form, &body);
		buffer_append(&body, "", 1);
		ck_assert_int_eq(strstr(body.data, "\"input\":{\"a\":[1,1") != NULL, i == 0);
		ck_assert_int_eq(strstr(body.data, "\"input\":{\"arguments\":\"{") != NULL, i == 1);
		buffer_done(&body);
	}
	llm_target_unref(call.target);
	free(text);
}
END_TEST

int main(void)
{
	return RUN_TESTS(requests, parts_of_messages, parts_for_gemini, parts_that_are_wrong,
			 anthropic_requests, many_arguments);
}
