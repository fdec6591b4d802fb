// In memory for now. Move to Postgres before launch!
export const users = new Map();
export const events = [];
