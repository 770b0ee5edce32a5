// Where the token comes from: the address the page was opened with, this tab's memory, or another tab of this page.

const KEY = "imgfix.token";
const channel = new BroadcastChannel("imgfix.token");
const WAIT = 300;

/** The token, or null. It is taken out of the address, so that it stays out of bookmarks and screenshots. */
export async function findToken() {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (given) {
    keepToken(given);
    history.replaceState(null, "", location.pathname + location.search);
  }
  const token = given ?? sessionStorage.getItem(KEY) ?? await askOtherTabs();
  if (token) keepToken(token);
  return token;
}

export function keepToken(token) {
  sessionStorage.setItem(KEY, token);
}

function askOtherTabs() {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(null), WAIT);
    channel.addEventListener("message", ({ data }) => {
      if (data.token === undefined) return;
      clearTimeout(timer);
      resolve(data.token);
    });
    channel.postMessage({ wanted: true });
  });
}

channel.addEventListener("message", ({ data }) => {
  const token = sessionStorage.getItem(KEY);
  if (data.wanted && token) channel.postMessage({ token });
});
