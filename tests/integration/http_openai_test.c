/* What OpenAI's clients speak, on literal bytes. */
#include <string.h>

#include "tests/harness/sim.h"
#include "tests/integration/http_service.h"

static struct sim *sim;

#define CHAT "/v1/chat/completions"
#define ASK(more) "{'model':'local','messages':[{'role':'user','content':'Hello.'}]" more "}"

static void begin_with_sim(const char *setting)
{
	begin();
	sim = sim_start((const char *const[]) { setting, NULL });
	wire_call(wire, "CreateLLMConfig", "{'llm_config':{'name':'local','provider':'openai',"
		  "'llm_model_name':'m','max_retries':0,'llm_base_url':'%s'}}", sim_url(sim));
}

START_TEST(chat)
{
	json_object *json;

	begin_with_sim("--stream_chunk_bytes=0");
	json = POST(200, CHAT, ASK(",'temperature':0.5"));
	ck_assert_str_eq(at_text(json, "choices.0.message.role"), "assistant");
	ck_assert_str_eq(at_text(json, "choices.0.finish_reason"), "stop");
	ck_assert_int_gt(at_int(json, "usage.total_tokens"), 0);
	json = GET(200, "/v1/models");
	ck_assert_int_eq(at_count(json, "data"), 2);
	GET(200, "/v1/models/local");
	json = POST(200, "/v1/embeddings", "{'model':'local','input':'Hello.','encoding_format':'base64'}");
	ck_assert_uint_gt(strlen(at_text(json, "data.0.embedding")), 100);
	json = POST(400, CHAT, ASK(",'n':2"));
	ck_assert_str_eq(at_text(json, "error.param"), "n");
	json = POST(400, CHAT, ASK(",'temperature':5"));
	ck_assert_str_eq(at_text(json, "error.param"), "temperature");
	json = POST(404, CHAT, "{'model':'none','messages':[{'role':'user','content':'Hello.'}]}");
	ck_assert_str_eq(at_text(json, "error.code"), "model_not_found");
	sim_control(sim, "{'api_key':'another'}");
	json = POST(502, CHAT, ASK(""));
	ck_assert_str_eq(at_text(json, "error.code"), "BackendAuthentication");
	POST(502, CHAT, ASK(",'stream':true"));
	end();
	sim_stop(sim);
}
END_TEST

#define CALLED "{'role':'user','content':'a'},{'role':'assistant','content':%s,'tool_calls':[{'id':'1'," \
	       "'type':'function','function':{'name':'f','arguments':'{}'}}]},"                          \
	       "{'role':'tool','tool_call_id':'1','content':%s}"
#define ANSWERED "{'role':'user','content':'a'},{'role':'assistant','content':%s},{'role':'user','content':'b'}"

static json_object *chat_of(int status, const char *messages)
{
	return POST(status, CHAT, text("{'model':'local','messages':[%s]}", messages));
}

/* What clients of OpenAI's send back as it came, and what its models take together. */
START_TEST(histories)
{
	static const char *const nothing[] = { "null", "[]", "''" };
	json_object *json;

	begin_with_sim("--stream_chunk_bytes=0");
	for (size_t i = 0; i < sizeof(nothing) / sizeof(*nothing); i++) {
		chat_of(200, text(CALLED, nothing[i], nothing[i]));
		chat_of(200, text(ANSWERED, nothing[i]));
		ck_assert_str_eq(at_text(sim_last_request(sim), "messages.1.content"), "");
	}
	json = chat_of(400, "{'role':'user','content':[]}");
	ck_assert_str_eq(at_text(json, "error.param"), "messages[0].content");
	POST(200, CHAT, ASK(",'temperature':0.5,'reasoning_effort':'low'"));
	json = sim_last_request(sim);
	ck_assert_double_eq(at_number(json, "temperature"), 0.5);
	ck_assert_str_eq(at_text(json, "reasoning_effort"), "low");
	end();
	sim_stop(sim);
}
END_TEST

/* A client that goes away while its answer is made ends the call at the provider. */
START_TEST(cancelled)
{
	static const char body[] = "{\"model\":\"local\",\"stream\":true,\"messages\":"
				   "[{\"role\":\"user\",\"content\":\"Hello.\"}]}";
	struct http_peer *other;

	begin_with_sim("--latency_seconds=3600");
	other = http_open(url);
	http_send_text(other, text("POST " CHAT " HTTP/1.1\r\nHost: localhost\r\nX-API-Key: %s\r\n"
				   "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s", secret,
				   strlen(body), body));
	sim_await(sim, "in_flight", 1);
	http_close(other);
	sim_await(sim, "closed_early", 1);
	end();
	sim_stop(sim);
}
END_TEST

int main(void)
{
	return RUN_SUITE(chat, histories, cancelled);
}
