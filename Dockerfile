# The service with production dependencies only. Migrations: the same image with `node dist/migrate.js up`.
# Every command needs DATABASE_URL, PUBLIC_URL and PORTAL_SECRET; .env.example explains them.

FROM node:24-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci
COPY nest-cli.json tsconfig.json tsconfig.build.json .swcrc ./
COPY src ./src
RUN npx nest build && npm prune --omit=dev

FROM node:24-slim
ENV NODE_ENV=production HOST=0.0.0.0 PORT=3000 METRICS_HOST=0.0.0.0
# Three times what is in use. Left to itself Node takes far more before it collects. Yours takes the place of this.
ENV NODE_OPTIONS="--max-semi-space-size=16 --max-old-space-size=200"
WORKDIR /app
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
COPY package.json ./
COPY migrations ./migrations
USER node
EXPOSE 3000
# Whether the process answers. A database that is away does not make it unhealthy: /health/ready tells that.
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT}/health/live`).then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "dist/main.js"]
