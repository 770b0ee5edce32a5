// Jobs: what is asked of the server, followed to its end, cancelled, and taken up again after a reload.

import { asQuestion, rasterise } from "./marks.js";

/**
 * One job at a time. told: { started(job), progress(job), ended(job or null, fault or null) } where a job is
 * { id, verb, purpose, ... } as it was given to `run`, with the server's state in `state`.
 */
export class Work {
  current = null;
  #client;
  #told;
  #stop = null;

  constructor({ client, told }) {
    this.#client = client;
    this.#told = told;
  }

  get busy() {
    return this.current !== null;
  }

  /** Start a job and follow it. Returns the server's last word about it, or null where it failed or was cancelled. */
  async run(verb, body, purpose) {
    if (this.busy) return null;
    this.current = { verb, purpose, body, since: Date.now() };
    this.#told.started(this.current);
    try {
      const state = await this.#client.start(verb, body);
      this.current = { ...this.current, id: state.id, state };
      this.#told.started(this.current);
    } catch (fault) {
      return this.#end(null, fault);
    }
    return this.#follow();
  }

  /** Take up a job that was started before a reload. */
  resume(job) {
    this.current = job;
    this.#told.started(job);
    return this.#follow();
  }

  async #follow() {
    const { id } = this.current;
    this.#stop = new AbortController();
    try {
      const state = await this.#client.follow(id, (said) => {
        this.current = { ...this.current, state: said };
        this.#told.progress(this.current);
      }, this.#stop.signal);
      return this.#end(state, null);
    } catch (fault) {
      return this.#end(null, fault);
    }
  }

  #end(state, fault) {
    const job = this.current;
    this.current = null;
    this.#told.ended(job, state, fault);
    return state?.status === "done" ? state : null;
  }

  async cancel() {
    if (this.current?.id) await this.#client.cancel(this.current.id);
  }
}

/**
 * What says to the server which part is meant: the question that was asked, where the marks are its answer, else a mask
 * that is sent. Returns options, and the mask's file if there is one.
 */
export async function regionOf({ client, masks, file, marks, moves }) {
  const question = moves ? null : asQuestion(marks);
  if (question) return { options: question, mask: null };
  const blob = await rasterise(marks, file, masks);
  const mask = await client.upload(blob, maskName(file.name));
  return { options: { mask: mask.id }, mask };
}

function maskName(name) {
  return `${name.replace(/\.[^.]+$/, "")}_mask.png`;
}
