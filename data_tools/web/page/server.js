// What the page asks of its server. A refusal is an error with a code that has a translation.
const TRIES = 3;
const PAUSE_MS = 800;

export class Refused extends Error {
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

async function call(method, path, body, type) {
  const headers = type ? { "Content-Type": type } : {};
  let response;
  try {
    response = await fetch(`api/${path}`, { method, body, headers });
  } catch (error) {
    throw new Refused("offline", error.message);
  }
  if (response.ok) return response;
  let told = {};
  try {
    told = await response.json();
  } catch {
    // not ours: the page of an invitation that has ended
  }
  throw new Refused(told.error ?? "not_found", told.message ?? `HTTP ${response.status}`);
}

export const server = {
  state: async () => (await call("GET", "state")).json(),
  consent: async (language) => (await call("GET", `consent?language=${language}`)).json(),
  join: async (answers) =>
    (await call("POST", "speaker", JSON.stringify(answers), "application/json")).json(),
  leave: () => call("POST", "leave"),
  erase: async () => (await call("DELETE", "speaker")).json(),
  audio: async (id) => (await call("GET", `takes/${id}`)).arrayBuffer(),
  remove: async (id) => (await call("DELETE", `takes/${id}`)).json(),

  // The same take sent twice is kept once, so a broken connection is simply tried again.
  async keep(number, wav, { insteadOf, anyway }) {
    const query = new URLSearchParams();
    if (insteadOf) query.set("instead_of", insteadOf);
    if (anyway) query.set("anyway", "1");
    for (let tried = 1; ; tried++) {
      try {
        const path = `prompts/${number}/take?${query}`;
        return await (await call("POST", path, wav, "audio/wav")).json();
      } catch (error) {
        if (error.code !== "offline" || tried === TRIES) throw error;
        await new Promise((resolve) => setTimeout(resolve, PAUSE_MS * tried));
      }
    }
  },
};
