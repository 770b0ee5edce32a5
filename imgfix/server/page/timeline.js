// What was done, as states that can be gone back to. A state is never changed, only followed by another.
//
// A state: { file, marks, step }. `file` is what the server says of the picture shown, `marks` what is marked in it
// (see marks.js), `step` how the file was made: null for the one that was opened, else { verb, title, command, mask }.

const KEPT = 200;

export class Timeline {
  states = [];
  at = -1;

  static from(saved) {
    const made = new Timeline();
    made.states = saved.states.map((state) => ({ ...state, marks: state.marks.map((index) => saved.marks[index]) }));
    made.at = saved.at;
    return made;
  }

  /** As text can be made of it: each mark once, although many states show it. */
  get saved() {
    const indices = new Map();
    for (const mark of this.states.flatMap((state) => state.marks)) {
      if (!indices.has(mark)) indices.set(mark, indices.size);
    }
    const states = this.states.map((state) => ({ ...state, marks: state.marks.map((mark) => indices.get(mark)) }));
    return { marks: [...indices.keys()], states, at: this.at };
  }

  get now() {
    return this.states[this.at];
  }

  get first() {
    return this.states[0];
  }

  /** Follow what is now by a state; what was undone is dropped. */
  push(change) {
    this.states = [...this.states.slice(0, this.at + 1), { ...this.now, ...change }];
    if (this.states.length > KEPT) { // the opened file stays
      const drop = this.states.findIndex((state, index) => index > 0 && state.file.id === this.states[index - 1].file.id);
      this.states.splice(drop > 0 ? drop : 1, 1);
    }
    this.at = this.states.length - 1;
  }

  /** Another result in place of the one that is now. */
  swap(change) {
    this.states = this.states.with(this.at, { ...this.now, ...change });
  }

  get canUndo() {
    return this.at > 0;
  }

  get canRedo() {
    return this.at < this.states.length - 1;
  }

  undo() {
    if (this.canUndo) this.at--;
  }

  redo() {
    if (this.canRedo) this.at++;
  }

  jump(index) {
    this.at = index;
  }

  /** The files in order, each with the index of its last state: what the history shows. */
  get files() {
    const found = [];
    this.states.forEach((state, index) => {
      if (found.at(-1)?.state.file.id === state.file.id) found.at(-1).index = index;
      else found.push({ state, index });
    });
    return found;
  }
}
