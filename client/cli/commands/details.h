/*
 * What --help says of a command behind its options, for the table of commands alone.
 */
#pragma once

static const char run_details[] =
	"FILE is JSON with comments (// and /* */), or YAML where its name ends in .yaml; `-` is\n"
	"standard input. It is the truth: running it again brings template, collection and\n"
	"configs to what it says, continues what is unfinished, asks only for what is new, and\n"
	"prints the results of what is finished and unchanged without calling the model.\n"
	"\n"
	"  {\n"
	"    \"name\": \"Haiku quality\",\n"
	"    \"prompt_template\": { \"name\": \"Haiku\",\n"
	"                         \"messages\": \"Write a haiku about {{topic}}.\" },\n"
	"    \"collection\": { \"name\": \"Topics\",\n"
	"                    \"variables\": [ {\"topic\": \"coffee\"}, {\"topic\": \"rain\"} ] },\n"
	"    \"criteria\": [ \"Is it a haiku of three lines?\", \"Is it about {{topic}}?\" ],\n"
	"    \"llm_config\": { \"name\": \"local\", \"provider\": \"openai\",\n"
	"                    \"llm_model_name\": \"m\", \"api_key\": \"$MY_KEY\",\n"
	"                    \"llm_base_url\": \"http://127.0.0.1:8080/v1\" }\n"
	"  }\n"
	"\n"
	"A criterion that no model has to judge is a check, its value a text or from a column:\n"
	"  {\"criterion\": \"names it\", \"check\": {\"kind\": \"contains\", \"value\": \"{{city}}\"}}\n"
	"Kinds: equals, contains, icontains, starts_with, is_json, length (\"..80\"), regex\n"
	"(\"^[A-Z][a-z]*$\"). `label` is a short name for tables.\n"
	"\n"
	"A string in place of a template, collection or config names one that exists. Instead of\n"
	"`variables`, `\"file\": \"topics.csv\"` (or .jsonl) reads the cases from a file beside this\n"
	"one; `\"file:prompt.txt\"` in the place of messages, of a message's content or of criteria\n"
	"(one a line) reads these. `\"api_key\": \"$NAME\"` takes the key from your environment.\n"
	"Without `llm_config` the built-in simulated model answers, unless `elluminate llm\n"
	"default` chose another.\n"
	"\n"
	"`\"prompt_templates\": [...]` and `\"llm_configs\": [...]` in the place of the single ones, --llm\n"
	"given again, and several files make an experiment each, of every template with every\n"
	"config. They run at the same time, are named `NAME / TEMPLATE / CONFIG`, and their results\n"
	"are printed side by side; --fail-under looks at the worst.\n"
	"\n"
	"`-o report.html`, or --format html, has the results as `elluminate experiment report` writes\n"
	"them, and -o results.xml (junit) for who shows tests; of ten experiments at most.\n"
	"\n"
	"Ctrl-C cancels the task and keeps what was recorded; the same command continues it. A\n"
	"second Ctrl-C leaves at once. A terminal that is lost leaves the task running.\n"
	"\n"
	"Exit status: 0 success, 1 short of --fail-under and its like, 10 the task failed, 11 its\n"
	"time limit passed, 12 it was cancelled, 13 it was refused, 14 it is on hold at its cost\n"
	"limit (where there is no terminal; on one the command waits until the limit is raised).";

static const char report_details[] =
	"The format is what FILE of -o ends in, or --format: html, a page of its own that needs nothing\n"
	"beside it; md, for a pull request; xml (junit), for who shows tests; csv and json, for programs.\n"
	"Without either it is md on standard output. Cases that went wrong come first. Intervals take the\n"
	"epochs of a row as one, not as further rows.\n"
	"\n"
	"  elluminate experiment report Haiku -o haiku.html\n"
	"  elluminate experiment report Haiku 'Haiku #2' -o both.html\n"
	"\n"
	"Further experiments are compared with the first one, row by row: which came out worse, which\n"
	"better, and how likely chance alone does as much (a sign test of the rows).";

static const char evaluator_run_details[] =
	"The score is between 0 and 1. What the evaluator's prompt has placeholders for has to be said;\n"
	"--variables is for those that have no option of their own.\n"
	"\n"
	"  elluminate evaluator run Politeness --response 'You could have read the manual.'\n"
	"  elluminate evaluator run Levenshtein --response Bach --expected 'J. S. Bach'\n"
	"  echo '{\"name\": \"Rhyme\", \"prompt\": \"How well does this rhyme? {{response}}\"}' >rhyme.json\n"
	"  elluminate evaluator create rhyme.json";

static const char rate_details[] =
	"Rates responses; no answer is generated again.\n"
	"\n"
	"  elluminate rate EXPERIMENT         all its responses, by another judge, mode\n"
	"                                     or criteria: they become the experiment's\n"
	"                                     own, and its new results are printed\n"
	"  elluminate rate EXPERIMENT --keep  the same, but the experiment stays as it is,\n"
	"                                     and the verdicts are printed, in the order\n"
	"                                     of the responses; so with --epoch and\n"
	"                                     --where, which choose some of them\n"
	"  elluminate rate --responses 1,2,3  those, and their verdicts in this order\n"
	"\n"
	"Without --criteria and --set: the experiment's own criteria.\n"
	"\n"
	"  elluminate rate Haiku --judge strict --mode detailed\n"
	"  elluminate rate Haiku --judges strict,local,other --reduce majority\n"
	"  elluminate rate Haiku --evaluators Clarity,Politeness\n"
	"  elluminate rate Haiku --where polite=NO --criteria 'Is it at least polite?'\n"
	"\n"
	"Ctrl-C cancels the task and keeps what was recorded; `elluminate task retry` continues it.\n"
	"With --json: the events, one a line, then the experiment, or the list of the verdicts.";

static const char make_details[] =
	"FILE is an experiment file, as `elluminate run` has it; nothing is asked yet, and what exists\n"
	"is not changed: `elluminate experiment run NAME` asks. What the file holds beside the\n"
	"experiment, as its template, is made with it.";

static const char add_details[] =
	"For an experiment that was made and not run, from a file without `prompt_template`: then\n"
	"`elluminate rate` rates what is there, and `elluminate experiment run` all of it. FILE is CSV\n"
	"with a header line, JSONL, or JSON, an array of objects; a line has `response_text` or `error`, and\n"
	"where need be `row` (from 1; else the lines are of the rows in their order), `epoch`,\n"
	"`duration_seconds`, `input_tokens`, `ratings` and what else AddResponses has.\n"
	"\n"
	"  elluminate experiment add-responses Haiku answers.csv\n"
	"  elluminate experiment add-responses Haiku \\\n"
	"      --responses '[{\"row\": 1, \"response_text\": \"An old silent pond\"}]'";

static const char clone_details[] =
	"The new experiment has the same parts, but for what options say; it has no answers, and\n"
	"`elluminate experiment run` asks for them. Without --name it is the next `NAME #2`.\n"
	"\n"
	"  elluminate experiment clone Haiku --name 'Haiku, other model' --llm other";

static const char compare_details[] =
	"Two to ten of them: their success rates, and what came of each criterion; those of the same\n"
	"text are one. Below, how the others did on the same rows as the first: the mean difference in\n"
	"percentage points with its 95 % interval, how many rows came out better and worse, Cohen's d, and\n"
	"how often chance alone brings so much (an exact sign test of the rows, which their epochs make no\n"
	"more of), by itself and as one of so many (Holm). And the cases that changed: with another\n"
	"verdict than the first's, or an answer where the other failed.\n"
	"\n"
	"  elluminate experiment compare 'Haiku' 'Haiku #2'";

static const char prefer_details[] =
	"For each pair of two to ten experiments, and each case that both have an answer to, a judge\n"
	"says which answer is better. It is asked in both orders: where it contradicts itself it goes\n"
	"by the place, and the two are tied. The judge is the project's, or the config that --judge\n"
	"names; --evaluator names another prompt than the built-in Preference, one that has\n"
	"{{response}} and {{other_response}}. STRENGTH is by the Bradley-Terry model: 0 is an average\n"
	"one, and +1.1 wins three times out of four against that. The task goes on after a restart,\n"
	"`elluminate task retry TASK` asks again for what failed, and `elluminate experiment\n"
	"preferences TASK` lists the cases.\n"
	"\n"
	"  elluminate experiment prefer Haiku 'Haiku #2' 'Haiku #3'";

static const char flaky_details[] =
	"Of an experiment of several epochs: in how many of them a row met every criterion. What differs\n"
	"between them is chance, of the model or of the judge.\n"
	"\n"
	"  elluminate experiment add-epochs Haiku --epochs 4\n"
	"  elluminate experiment flaky Haiku";

static const char agreement_details[] =
	"Over the verdicts that people have edited, which includes those that they confirmed: how many\n"
	"are alike, Cohen's kappa (1: all; 0: as many as by chance), where the judge's YES and NO were\n"
	"wrong, and from which score on its YES should count. Of several judges, how far they agree with\n"
	"each other, on verdicts and on evaluators' scores: Krippendorff's alpha (1: always; 0: by chance).\n"
	"\n"
	"  elluminate experiment edit-rating 34 NO\n"
	"  elluminate experiment agreement Haiku\n"
	"  elluminate experiment responses Haiku --overruled";

static const char power_details[] =
	"For two experiments over the same cases, and a test that takes chance for a difference once in\n"
	"twenty times: how many cases it takes to see a --difference of their success rates, or which\n"
	"one so many --cases show. That depends on how many cases come out otherwise in the one than in\n"
	"the other: --changed says so, or two experiments show it; of one alone, as many are taken as\n"
	"if the other had nothing to do with it. Otherwise there is a line for each of some.\n"
	"\n"
	"  elluminate power --difference 5%\n"
	"  elluminate power Haiku --difference 5% --power 90%\n"
	"  elluminate power Haiku 'Haiku #2' --cases 500";

static const char edit_details[] =
	"RATING is the id of a rating, as `elluminate experiment case` shows it. What the judge said\n"
	"stays visible; the experiment's results are of verdicts as they stand, and rating again does\n"
	"not undo it.\n"
	"\n"
	"  elluminate experiment edit-rating 34 NO --reasoning 'It has four lines.'\n"
	"  elluminate experiment edit-rating 34 --undo";

static const char call_details[] =
	"Asks once and prints the answer. The text is TEXT, or in a file, or comes from standard\n"
	"input; nothing of it is kept but the task.\n"
	"\n"
	"  elluminate call 'Name three rivers.' --llm local --temperature 0\n"
	"  elluminate call --llm local < question.txt > answer.txt\n"
	"  elluminate call --template Haiku --variables '{\"topic\": \"tea\"}'\n"
	"  elluminate call 'What is on it?' --image photo.jpg --llm local\n"
	"  elluminate call 'Who wrote it, and when?' --document letter.pdf --schema author.json --llm local\n"
	"\n"
	"The model's instructions are --system-message: --system is the machine's daemon, here too. With\n"
	"--schema the answer is checked, and asked for once more where it does not fit.\n"
	"\n"
	"Calls of tools that the model asks for are printed as JSON, one a line. Without --llm the\n"
	"built-in simulated model answers, unless `elluminate llm default` chose another. Ctrl-C\n"
	"cancels the call, and so does leaving it, unless it was detached; then `elluminate task\n"
	"watch` prints the answer. With --json: the events, one a line, then the answer.";

static const char chat_details[] =
	"Each line is asked with all that was said before, and the answer printed; Ctrl-D ends it. Ctrl-C\n"
	"while the model answers cancels that answer alone: neither it nor its question is part of the\n"
	"conversation then, which is kept nowhere but here. TEXT is the first line.\n"
	"\n"
	"  elluminate chat --llm local --system-message 'Answer in one sentence.'\n"
	"\n"
	"Where the lines come from a file or a pipe, the first answer that fails ends it.";

static const char embed_details[] =
	"Prints the vector of each TEXT, or of each line of standard input, as a JSON array a line. The more\n"
	"alike two texts are in meaning, the smaller is the angle between their vectors. With --json: the\n"
	"events, one a line, then all that came of it.\n"
	"\n"
	"  elluminate embed 'A warm day' 'It is hot' --llm local-embeddings --purpose similarity\n"
	"  elluminate embed --llm local-embeddings --dimensions 256 < lines.txt > vectors.jsonl\n"
	"\n"
	"Without --llm the built-in simulated model answers, unless `elluminate llm default` chose another.";

static const char watch_details[] =
	"With ID: until it ends. Without: a live view of all tasks that wait or run; q or Ctrl-C\n"
	"leaves it. Where there is no terminal, or with --json, it prints what `elluminate\n"
	"monitor` does. Watching never disturbs the tasks: they go on. A file of -o has what came\n"
	"until Ctrl-C.";

static const char cost_details[] =
	"One's own, or everybody's to an administrator. A day is one of UTC, as in providers' bills.\n"
	"What is UNPRICED has no known price, and is in no COST.\n"
	"\n"
	"  elluminate cost --since 7d --by day,model\n"
	"  elluminate cost --by total";

static const char monitor_details[] =
	"First the tasks that wait or run, then every change and log line of any task, each on a\n"
	"line: time, task, name, what. With --json: each reply, with the cursor to go on after it.\n"
	"Ctrl-C ends it with exit status 0.";

static const char drain_details[] =
	"No further task is started; the calls in flight finish, and what ran waits. Ends when\n"
	"nothing runs any more. Needs an administrator on a machine's daemon.";

static const char reload_details[] =
	"What counts at once are limits, retention, times, `log_level` and `on_shutdown`. For the next start\n"
	"(elluminate restart) wait `administrator_group`, `price_file`, `idle_exit_seconds` and `workers` of\n"
	"[daemon], and `listen` and `hosts` of [http]. A file with a fault changes nothing, and the fault is\n"
	"said.";

static const char api_details[] =
	"Without METHOD it lists the methods, with the command that each has. METHOD is one of\n"
	"org.elluminate, or a full name such as\n"
	"org.varlink.service.GetInfo. JSON is the object of its parameters; `-` reads it from\n"
	"standard input.\n"
	"\n"
	"  elluminate api GetTask '{\"id\": 42}'\n"
	"  elluminate api WatchTask '{\"id\": 42}' --more\n"
	"\n"
	"Unlike `elluminate task watch`, replies of --more end with the connection: nothing is\n"
	"resumed when the daemon restarts.";

static const char template_details[] =
	"  elluminate template create Haiku --message 'Write a haiku about {{topic}}.'\n"
	"  elluminate template create haiku.json\n"
	"\n"
	"FILE ends in .json or .yaml or has a / in it, `-` is standard input; it has the\n"
	"fields `name`, `messages` (a list, or a text) and, where needed, `response_format`, `tools`\n"
	"and `tool_choice`. Options go over what it says. The same content is no new version.";

static const char criteria_details[] =
	"Each TEXT is one question about an answer; it may hold placeholders, filled from the row:\n"
	"\n"
	"  elluminate criteria create polite 'Is it polite?' 'Is it about {{topic}}?'\n"
	"  elluminate criteria add polite 'names the city' --label city --check 'icontains={{city}}'\n"
	"  elluminate criteria add polite 'is short' --check length=..80\n"
	"\n"
	"The same text is the same question: it is there once.";

static const char archive_details[] =
	"The archive is a tar file with the cases, the prompt template, the criteria, the configs, the\n"
	"answers, their ratings, edits and notes; `elluminate import` takes it in, on another machine or\n"
	"in another project. Keys, headers, proxies and files of this machine stay here.\n"
	"\n"
	"  elluminate export 'Haiku quality' -o haiku.tar\n"
	"  elluminate import haiku.tar --project review\n"
	"\n"
	"A collection by itself: `elluminate collection export Topics -o topics.tar`.\n"
	"\n"
	"With -o FILE.jsonl or --format jsonl: for other programs, in the form of a log of OpenAI's evals.\n"
	"With --all everything that you have, or that --project has, a line of JSON each: what type it is, of\n"
	"which project, and the record. Keys are not in it. What is changed meanwhile may be there or not;\n"
	"`elluminate backup` is of one moment.\n"
	"\n"
	"  elluminate export 'Haiku quality' -o haiku.jsonl\n"
	"  elluminate export --all -o everything.jsonl";

static const char promptfoo_details[] =
	"An archive (FILE ends in .tar) is what `elluminate export` has written. What is there already is\n"
	"used where it is the same, and never changed; after an end in the middle the same command goes\n"
	"on. No model is asked.\n"
	"\n"
	"Of samples of OpenAI's evals (FILE ends in .jsonl, each line has `input` and perhaps `ideal`) it prints\n"
	"an experiment file, or writes it with -o FILE: the inputs are conversations of a collection, and an\n"
	"answer meets `ideal` when it begins with it, or with one of several.\n"
	"\n"
	"Of a configuration of promptfoo it prints an experiment file, or writes it with -o FILE; no\n"
	"daemon is asked.\n"
	"\n"
	"  elluminate import promptfooconfig.yaml -o experiment.json\n"
	"  elluminate run experiment.json\n"
	"\n"
	"  description                     name\n"
	"  prompts: texts, conversations,  prompt_templates; in a .txt file `---` is\n"
	"    file://x.txt|md|json|yaml     between several\n"
	"  providers: openai, anthropic,   llm_configs; label: name; config: base URL,\n"
	"    ollama, groq, mistral, xai,   key, headers, passthrough, temperature,\n"
	"    litellm                       max_tokens, top_p, seed, stop, ...\n"
	"  tests, defaultTest: vars        rows of the collection; a list as a value is a\n"
	"    file://x.csv|jsonl|json       row for each item; what a test lacks is empty\n"
	"  assert: llm-rubric              a criterion\n"
	"    equals, contains, icontains,  a criterion with a check; each item of\n"
	"    starts-with, is-json, regex   contains-all and icontains-all is one\n"
	"  options.provider                rating_llm_config, of defaultTest\n"
	"  evaluateOptions                 repeat: n_epochs;\n"
	"                                  maxConcurrency: max_connections\n"
	"\n"
	"A criterion is of all cases. Where tests expect different things these stand in columns,\n"
	"`expected_contains` and so on; a test that has no such assertion has there what every\n"
	"response meets, which counts as a YES. For equals and is-json there is nothing of this\n"
	"kind: every test has them, or they are not mapped. Nor are not-..., programs, templates\n"
	"beyond {{name}}, and all else: each is listed on standard error, with its place.";

static const char import_details[] =
	"FILE is CSV with a header line, JSONL, or JSON, an array of objects: by the end of its name,\n"
	"or by --format; `-` is standard input. A collection that is not there is made, with the types\n"
	"that --columns says. None of the rows is visible unless all are; what is wrong is told with its\n"
	"line.\n"
	"\n"
	"  elluminate collection import Topics topics.csv\n"
	"  elluminate collection import Chats chats.csv --columns chat:conversation,kind:category\n"
	"\n"
	"In CSV, a cell of a column of type json or conversation is JSON; one that is empty is left out.";

static const char web_details[] =
	"It shows tasks as they run, experiments with their results and cases, the queue, endpoints and what was\n"
	"spent. The daemon must serve HTTP: see HTTP in elluminated(8). The browser is $BROWSER, else xdg-open; it\n"
	"gets a token of yours that is good for 12 hours, in a file that you alone can read.";
static const char token_details[] =
	"Whoever shows it does what you may do, in one project or with --everywhere in all of yours, until it\n"
	"expires or is revoked. It is printed this once; what the daemon keeps is its digest.\n"
	"\n"
	"  export TOKEN=$(elluminate token create ci --scope read)\n"
	"  curl -H \"Authorization: Bearer $TOKEN\" http://127.0.0.1:8080/api/v1/ListTasks";
static const char export_details[] =
	"As JSONL, or as --format or the end of the name after -o say: csv, jsonl or json. What is\n"
	"imported again is the same, but that CSV has an empty text where a row has none. With a name that\n"
	"ends in .tar: an archive, with columns and description, for `elluminate import`.\n"
	"\n"
	"  elluminate collection export Topics -o topics.csv";

static const char backup_details[] =
	"The backup is one SQLite file: all projects, experiments, answers, verdicts and tasks as they are at\n"
	"one moment, read back before this says where it is. Keys are not in it: they are files of their own,\n"
	"in `secrets` of the state folder. For administrators, and for you of your own daemon.\n"
	"\n"
	"  elluminate backup                     into `backups` of the state folder\n"
	"  elluminate backup ~/elluminate.db     into that file\n"
	"  elluminate check ~/elluminate.db      later: whether it is sound";

static const char restore_details[] =
	"The daemon is stopped, the file is checked and takes the database's place, and what was there before,\n"
	"with its keys, is kept in `replaced-TIME` beside it. Tasks that were unfinished in the backup go on.\n"
	"Keys in the state folder stay; on another machine configs ask for theirs again (elluminate llm update).\n"
	"What is in the backup of a user's daemon becomes yours, whoever made it; so restore only files that\n"
	"you trust. One of a system's daemon is restored by root, with --system.";

static const char skill_details[] =
	"The answer is printed, then how each validator found it, with its reason.\n"
	"\n"
	"  elluminate skill run Haiku --variables '{\"topic\":\"tea\"}'\n"
	"  elluminate skill run Haiku --variables '{\"topic\":\"tea\"}' --until-valid 3\n"
	"\n"
	"Exit status: 1 when the answer is not valid, else as that of other tasks.";

static const char validate_details[] =
	"TEXT is the answer, or `-`, or nothing, for standard input.\n"
	"\n"
	"  my-program tea | elluminate skill validate Haiku --variables '{\"topic\":\"tea\"}'\n"
	"\n"
	"Exit status: 1 when it is not valid, else as that of other tasks.";
