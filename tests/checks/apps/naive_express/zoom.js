const { ZOOM_CLIENT_ID, ZOOM_CLIENT_SECRET } = process.env;

async function refresh(user) {
  const basic = Buffer.from(`${ZOOM_CLIENT_ID}:${ZOOM_CLIENT_SECRET}`).toString("base64");
  const response = await fetch("https://zoom.us/oauth/token", {
    method: "POST",
    headers: { Authorization: `Basic ${basic}` },
    body: new URLSearchParams({ grant_type: "refresh_token", refresh_token: user.refreshToken }),
  });
  if (!response.ok) throw new Error("Zoom refused the refresh token");
  const tokens = await response.json();
  user.accessToken = tokens.access_token;
  user.refreshToken = tokens.refresh_token;
  user.expiresAt = Date.now() + tokens.expires_in * 1000;
}

export async function zoomGet(user, path) {
  if (user.expiresAt < Date.now()) await refresh(user);
  const response = await fetch(`https://api.zoom.us/v2${path}`, {
    headers: { Authorization: `Bearer ${user.accessToken}` },
  });
  if (!response.ok) throw new Error(`Zoom answered ${response.status}`);
  return response.json();
}
