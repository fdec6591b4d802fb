// Runs one published Node client against the simulated Zoom:
// `node --require ./redirect.cjs runner.mjs CLIENT`.

const { run } = await import(`./${process.argv[2]}.mjs`);
console.log(JSON.stringify(await run()));
process.exit(0);
