// Talking to the server: one function for each thing it can be asked.

/** What the server refused, in its own words. */
export class Refusal extends Error {
  constructor(status, { message, hint, fields = [], code } = {}) {
    super(message || `HTTP ${status}`);
    Object.assign(this, { status, hint, fields, code });
  }
}

const RETRIES = 20;

const pause = (milliseconds, signal) => new Promise((resolve, reject) => {
  const timer = setTimeout(resolve, milliseconds);
  signal?.addEventListener("abort", () => { clearTimeout(timer); reject(signal.reason); }, { once: true });
});

async function refusal(response) {
  let said = {};
  try {
    said = (await response.json()).error ?? {};
  } catch { /* not from the application: the status says it */ }
  return new Refusal(response.status, said);
}

export class Client {
  constructor(token) {
    this.token = token;
  }

  get #headers() {
    return this.token ? { Authorization: `Bearer ${this.token}` } : {};
  }

  /** A response that is in order. A full queue (429) is waited for as long as the server asks. Throws Refusal. */
  async ask(path, { method = "GET", json, signal } = {}) {
    for (let attempt = 0; ; attempt++) {
      const response = await fetch(path, {
        method, signal, cache: "no-store",
        headers: { ...this.#headers, Accept: "application/json", ...(json ? { "Content-Type": "application/json" } : {}) },
        body: json && JSON.stringify(json),
      });
      if (response.ok) return response;
      if (response.status !== 429 || attempt === RETRIES) throw await refusal(response);
      await pause(1000 * (Number(response.headers.get("Retry-After")) || 1), signal);
    }
  }

  async json(path, options) {
    return (await this.ask(path, options)).json();
  }

  /** Send a file; `progress` is told the share that is sent. Returns what the server says of it. Throws Refusal. */
  async upload(file, name, progress = () => {}, signal) {
    for (let attempt = 0; ; attempt++) {
      try {
        return await this.#send(file, name, progress, signal);
      } catch (fault) {
        if (fault.status !== 429 || attempt === RETRIES) throw fault;
        await pause(1000 * (fault.after || 1), signal);
      }
    }
  }

  #send(file, name, progress, signal) { // XMLHttpRequest, because fetch does not tell how much of a body is sent
    return new Promise((resolve, reject) => {
      const form = new FormData();
      form.append("file", file, name);
      const request = new XMLHttpRequest();
      request.open("POST", "/v1/uploads");
      for (const [header, value] of Object.entries(this.#headers)) request.setRequestHeader(header, value);
      request.responseType = "json";
      request.upload.addEventListener("progress", (event) => progress(event.loaded / event.total));
      request.addEventListener("load", () => {
        if (request.status < 300) return resolve(request.response);
        const refused = new Refusal(request.status, request.response?.error);
        refused.after = Number(request.getResponseHeader("Retry-After"));
        reject(refused);
      });
      request.addEventListener("error", () => reject(new TypeError("the server cannot be reached")));
      request.addEventListener("abort", () => reject(signal.reason));
      signal?.addEventListener("abort", () => request.abort(), { once: true });
      request.send(form);
    });
  }

  async file(id, signal) {
    return (await this.ask(`/v1/files/${id}?download=1`, { signal })).blob();
  }

  async preview(id, { width, time, signal }) {
    const query = new URLSearchParams({ width: Math.round(width) });
    if (time !== undefined) query.set("time", time.toFixed(3));
    return (await this.ask(`/v1/files/${id}/preview?${query}`, { signal })).blob();
  }

  /** Whether the server still has a file. */
  async has(id) {
    try {
      await this.preview(id, { width: 16 });
      return true;
    } catch (fault) {
      if (fault instanceof Refusal && fault.status === 404) return false;
      throw fault;
    }
  }

  models() {
    return this.json("/v1/models");
  }

  options(verb) {
    return this.json(`/v1/options/${verb}`);
  }

  /** The steps of a recipe file, as `/v1/run` takes them. Throws Refusal. */
  recipe(text) {
    return this.json("/v1/recipes", { method: "POST", json: { recipe: text } });
  }

  select(body, signal) {
    return this.json("/v1/select", { method: "POST", json: body, signal });
  }

  /** Put work into the queue. Returns the job. */
  start(verb, body) {
    return this.json(`/v1/${verb}?job=1`, { method: "POST", json: body });
  }

  job(id) {
    return this.json(`/v1/jobs/${id}`);
  }

  async cancel(id) {
    await this.ask(`/v1/jobs/${id}`, { method: "DELETE" });
  }

  /** Follow a job to its end; `progress` is told each state. Returns the last one. A broken line is taken up again. */
  async follow(id, progress = () => {}, signal) {
    for (let failures = 0; ;) {
      try {
        await this.#listen(id, progress, signal);
        const job = await this.job(id);
        progress(job);
        if (!["queued", "running"].includes(job.status)) return job;
        failures = 0;
      } catch (fault) {
        if (fault instanceof Refusal || signal?.aborted || ++failures > RETRIES) throw fault;
      }
      await pause(Math.min(500 * 2 ** failures, 5000), signal);
    }
  }

  async #listen(id, progress, signal) { // EventSource cannot send the token
    const response = await this.ask(`/v1/jobs/${id}/events`, { signal });
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const events = (rest + value.replaceAll("\r", "")).split("\n\n");
      rest = events.pop();
      for (const event of events) {
        const name = /^event: ?(.*)$/m.exec(event)?.[1];
        const data = /^data: ?(.*)$/m.exec(event)?.[1];
        if (name === "progress" && data) progress(JSON.parse(data));
        if (["done", "failed", "cancelled"].includes(name)) {
          await reader.cancel();
          return;
        }
      }
    }
  }
}
