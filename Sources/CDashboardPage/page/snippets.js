// A request as something to paste: into a shell, or into a program.

const quoted = (text) => `'${text.replaceAll("'", `'\\''`)}'`;

/** The request as a command line. */
export function asCurl(url, body) {
    const unbuffered = body.stream ? " --no-buffer" : "";
    const content = quoted(JSON.stringify(body));
    return `curl${unbuffered} ${url} \\\n  -H 'content-type: application/json' \\\n  -d ${content}`;
}

/** The request as a program with the OpenAI client. */
export function asPython(base, body) {
    const { stream, stream_options: _, ...rest } = body;
    const parameters = Object.entries(rest)
        .map(([name, value]) => `    ${name}=${python(value)},`)
        .join("\n");
    const call = `client.chat.completions.create(\n${parameters}\n${stream ? "    stream=True,\n" : ""})`;
    const use = stream
        ? `for event in ${call}:\n    if event.choices:\n        print(event.choices[0].delta.content or "", end="")\n`
        : `answer = ${call}\nprint(answer.choices[0].message.content)\n`;
    return `from openai import OpenAI\n\nclient = OpenAI(base_url=${python(`${base}/v1`)}, api_key="none")\n${use}`;
}

/** A JSON value as a Python one. Strings of JSON are strings of Python, too. */
function python(value) {
    if (value === null) return "None";
    if (value === true) return "True";
    if (value === false) return "False";
    if (Array.isArray(value)) return `[${value.map(python).join(", ")}]`;
    if (typeof value === "object")
        return `{${Object.entries(value)
            .map(([name, one]) => `${JSON.stringify(name)}: ${python(one)}`)
            .join(", ")}}`;
    return JSON.stringify(value);
}
