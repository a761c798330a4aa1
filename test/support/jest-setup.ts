// Loads these CommonJS Nest packages first: required from inside an ES module cycle they would fail.
import '@nestjs/common';
import '@nestjs/core';
