// Sends the example of a form as it stands there, and shows the answer as it comes.

for (const form of document.querySelectorAll("form.example")) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const answer = form.querySelector("pre");
    answer.hidden = false;
    try {
      const response = await fetch(form.dataset.address, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: form.querySelector("textarea").value,
      });
      answer.textContent = `${response.status} ${await response.text()}`;
    } catch {
      answer.textContent = "The server did not answer. Is it still running?";
    }
  });
}
