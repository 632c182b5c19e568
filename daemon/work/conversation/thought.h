/*
 * Models that think aloud before they answer: where nothing takes it away on its way, the thought stands in
 * front of the answer between <think> and </think> (as DeepSeek's and Qwen's chat templates have it).
 *
 * A pure function; any thread.
 */
#pragma once

/* The answer behind the thought, inside of `answer`: all of it where there is none, nothing where the thought
 * was cut off. */
const char *thought_skip(const char *answer);

/* The same where chat templates that open the thought in the prompt leave only its end, as vLLM's and SGLang's
 * parsers read it: prose, and then what was asked for, which is JSON. Not for verdicts and scores: what a judge
 * quotes before them is another's, and what stands behind an end that one wrote is no verdict of the judge's. */
const char *thought_skip_opened(const char *answer);
