/* The examples that Amazon publishes for requests by POST, and others as botocore signs them. */
#include <string.h>

#include "daemon/backend/dialect/aws_sigv4.h"
#include "daemon/base/clock.h"
#include "tests/unit/suite.h"

#define JSON "Content-Type: application/json"
#define ARN "arn%3Aaws%3Abedrock%3Aeu-west-1%3A123456789012%3Ainference-profile%2Feu.amazon.nova-lite-v1%3A0"
#define TOKEN "FwoGZXIvYXdzEXAMPLE//token=="
#define USUAL_NAMES "content-type;host;x-amz-date"

static const struct {
	const char *url, *body;
	const char *headers[6];
	const char *region, *service, *token;
	const char *names, *signature;
} cases[] = {
	{ "https://example.amazonaws.com/", "", { NULL }, "us-east-1", "service", NULL,
	  "host;x-amz-date", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b" },
	{ "https://example.amazonaws.com/", "Param1=value1",
	  { "Content-Type: application/x-www-form-urlencoded" }, "us-east-1", "service", NULL,
	  USUAL_NAMES, "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a" },
	/* What is escaped in a path is escaped once more. */
	{ "https://bedrock-runtime.us-east-1.amazonaws.com/model/"
	  "anthropic.claude-3-haiku-20240307-v1%3A0/converse", "{}", { JSON, "Accept: a/b" },
	  "us-east-1", "bedrock", NULL, USUAL_NAMES,
	  "1e3e5ff96e9eaa6f374cc3e88308f4dd8c58e317eb37fe847a49419ac9af2387" },
	{ "https://bedrock-runtime.eu-west-1.amazonaws.com/model/" ARN "/converse-stream",
	  "{\"messages\":[]}", { "X-Amz-Security-Token: " TOKEN, "User-Agent: u", JSON }, "eu-west-1",
	  "bedrock", TOKEN, USUAL_NAMES ";x-amz-security-token",
	  "4de319a942b61aa140b974a1e2b82599f1c17bd583983bdaa2bd0534e9305344" },
	/* A port that is another than usual, a query, names that begin alike, blanks. */
	{ "http://127.0.0.1:8080/base/model/m/converse?b=2&a-b=1&a=&a=3", "{}",
	  { "X-Amz-Zeta-2: z", "X-Amz-Zeta:   two   words ", JSON, "x-amz-alpha: 1", "Expect:" },
	  "us-east-1", "bedrock", NULL,
	  "content-type;host;x-amz-alpha;x-amz-date;x-amz-zeta;x-amz-zeta-2",
	  "bba3a97627fff3f90d6b93e3c75373b2c2328844b687f54945c9c625da97f321" },
	{ "https://h.example:443", "{}", { JSON }, "us-east-1", "bedrock", NULL, USUAL_NAMES,
	  "df07e95fd4f7d5f70c73599ae4c31e68e953aaecea1c7c170439c4b210a41abe" },
};

START_TEST(signatures)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const struct aws_credentials credentials = {
			.access_key = "AKIDEXAMPLE",
			.secret_key = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
			.session_token = cases[i].token,
			.region = cases[i].region,
			.service = cases[i].service,
		};
		struct curl_slist headers[6] = { { 0 } };
		struct buffer lines = { 0 };
		char expected[1024];

		for (size_t n = 0; cases[i].headers[n]; n++) {
			headers[n].data = (char *)cases[i].headers[n];
			headers[n].next = cases[i].headers[n + 1] ? &headers[n + 1] : NULL;
		}
		aws_sigv4_sign(&credentials, &(struct aws_request) {
			.url = cases[i].url, .headers = cases[i].headers[0] ? headers : NULL,
			.body = cases[i].body, .size = strlen(cases[i].body) },
			1440938160 * USEC_PER_SEC, &lines);
		ck_assert(!lines.failed);
		ck_assert_str_eq(lines.data, "X-Amz-Date: 20150830T123600Z");
		snprintf(expected, sizeof(expected),
			 "Authorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/%s/%s/"
			 "aws4_request, SignedHeaders=%s, Signature=%s", cases[i].region,
			 cases[i].service, cases[i].names, cases[i].signature);
		ck_assert_str_eq(lines.data + strlen(lines.data) + 1, expected);
		buffer_done(&lines);
	}
}
END_TEST

int main(void)
{
	return RUN_TESTS(signatures);
}
